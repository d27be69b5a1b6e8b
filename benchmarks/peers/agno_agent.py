"""agno, as its documentation builds an agent: made once, its MCP session held open, behind FastAPI. Needs `agno`."""
# pyright: basic, reportMissingImports=false
# agno lives in an environment of its own.

import argparse
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from agno.tools.mcp import MCPTools
from fastapi import FastAPI
from pydantic import BaseModel


class Answer(BaseModel):
    """What the agent says."""

    text: str


class Asked(BaseModel):
    """What it is asked."""

    text: str


def hours(office: str) -> dict[str, str]:
    """The opening hours of an office."""
    return {"hours": "Monday to Friday, eight to twelve."}


def app(engine: str, server: str | None) -> FastAPI:
    """Answers `POST /run`; without `server` the tool is a function."""
    agents: list[Agent] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as closing:
            tools = (
                [await closing.enter_async_context(MCPTools(transport="streamable-http", url=server))]
                if server
                else [hours]
            )
            model = OpenAILike(id="bench", api_key="none", base_url=engine)
            agents.append(Agent(model=model, tools=tools, output_schema=Answer, telemetry=False))
            yield

    api = FastAPI(lifespan=lifespan)

    @api.post("/run")
    async def run(asked: Asked) -> Answer:
        return (await agents[0].arun(asked.text)).content

    return api


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--server")
    given = parser.parse_args()
    uvicorn.run(app(given.engine, given.server), port=given.port, loop="uvloop", http="httptools", access_log=False)
