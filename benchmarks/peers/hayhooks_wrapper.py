"""Hayhooks, as its documentation serves an agent: made once at deployment, its tool set kept. Needs `hayhooks`."""
# pyright: basic, reportMissingImports=false
# Hayhooks lives in an environment of its own.

import os
from typing import Annotated

from hayhooks import BasePipelineWrapper
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from haystack.utils import Secret
from haystack_integrations.tools.mcp import MCPToolset, StreamableHttpServerInfo


@tool
def hours(office: Annotated[str, "Its name."]) -> str:
    """The opening hours of an office."""
    return '{"hours": "Monday to Friday, eight to twelve."}'


class PipelineWrapper(BasePipelineWrapper):
    """What Hayhooks deploys; without `server` in the environment the tool is a function."""

    def setup(self) -> None:
        generator = OpenAIChatGenerator(
            model="bench", api_key=Secret.from_token("none"), api_base_url=os.environ["BENCH_ENGINE"]
        )
        server = os.environ.get("BENCH_SERVER")
        tools = MCPToolset(StreamableHttpServerInfo(url=server)) if server else [hours]
        self.agent = Agent(chat_generator=generator, tools=tools)
        self.agent.warm_up()

    async def run_api_async(self, text: str) -> dict:
        result = await self.agent.run_async(messages=[ChatMessage.from_user(text)])
        return {"text": result["messages"][-1].text}
