"""An MCP server of others, for tests: run it to speak on stdin and stdout."""

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError

server = FastMCP("weather")


@server.tool
def forecast(city: str) -> dict[str, str]:
    """The weather in a city."""
    if city == "Atlantis":
        raise ToolError("no such city: Atlantis")
    return {"city": city, "sky": "sunny"}


@server.tool(meta={"partitur/source": True})
def almanac(query: str) -> dict[str, object]:
    """What the almanac says."""
    text = f"The almanac of {query} knows the rain. In {query} it rains on 120 days of the year."
    passage = {"document": "almanac", "title": "Almanac", "start": 0, "end": len(text), "text": text, "score": 1.0}
    return {"passages": [passage]}


@server.tool
def launch() -> str:
    """Not for us."""
    return "launched"


if __name__ == "__main__":
    server.run("stdio", show_banner=False)
