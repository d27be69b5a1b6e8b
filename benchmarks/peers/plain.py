"""Plain pydantic-ai, tuned: agent and client built once, the MCP session held open, behind Starlette."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.vllm import VLLMProvider
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["app"]


class Answer(BaseModel):
    """What the agent says."""

    text: str


def app(engine: str, server: str | None) -> Starlette:
    """Answers `POST /run`; without `server` the tool is a function."""
    client = AsyncOpenAI(base_url=engine, api_key="none")
    model = OpenAIChatModel("bench", provider=VLLMProvider(openai_client=client))
    toolsets = [MCPToolset(server)] if server else []
    agent = Agent(model, output_type=NativeOutput(Answer), toolsets=toolsets)

    if server is None:

        @agent.tool_plain
        def hours(office: str) -> dict[str, str]:
            """The opening hours of an office."""
            return {"hours": "Monday to Friday, eight to twelve."}

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with agent:
            yield

    async def run(request: Request) -> JSONResponse:
        result = await agent.run((await request.json())["text"])
        return JSONResponse(result.output.model_dump())

    return Starlette(routes=[Route("/run", run, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--server")
    given = parser.parse_args()
    uvicorn.run(app(given.engine, given.server), port=given.port, loop="uvloop", http="httptools", access_log=False)
