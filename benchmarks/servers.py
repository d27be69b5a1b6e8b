"""The servers that benchmarks/gateway.py compares, each as its users run it, in front of the fake engine."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.engine import MODEL
from benchmarks.process import ROOT, Process, free_port, memory_mb, started

__all__ = ["PEERS", "Server", "launched"]

PEERS = {"litellm": ["litellm[proxy]"], "hayhooks": ["hayhooks", "haystack-ai"]}
"""What is installed for each, in an environment of its own."""
_KEY = "pt-benchmark-0123456789abcdef"
_WRAPPER = """
import os
from collections.abc import AsyncGenerator
from haystack import Pipeline
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from hayhooks import BasePipelineWrapper, async_streaming_generator


class PipelineWrapper(BasePipelineWrapper):
    def setup(self) -> None:
        generator = OpenAIChatGenerator(
            api_key=Secret.from_token("-"), model="MODEL", api_base_url="ENGINE", max_retries=0, timeout=600
        )
        self.pipeline = Pipeline()
        self.pipeline.add_component("llm", generator)

    async def run_chat_completion_async(self, model: str, messages: list[dict], body: dict):
        chat = [ChatMessage.from_openai_dict_format(message) for message in messages]
        if body.get("stream"):
            return async_streaming_generator(pipeline=self.pipeline, pipeline_run_args={"llm": {"messages": chat}})
        result = await self.pipeline.run_async({"llm": {"messages": chat}})
        return result["llm"]["replies"][0].text
"""


@dataclass(frozen=True)
class Server:
    """One that runs, and how it is reached."""

    name: str
    url: str
    key: str
    pid: int
    ready_s: float
    idle_mb: float


def launched(names: list[str], closing: ExitStack) -> list[Server]:
    """Starts the engine and the servers in front of it; `closing` ends them."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    process = closing.enter_context(
        started([sys.executable, "-m", "benchmarks.engine", "--port", str(port)], ready=_beside(url, "/health"))
    )
    engine = _server("floor", url, process)
    return [engine if name == "floor" else _launch(name, engine.url, closing) for name in names]


def _launch(name: str, engine: str, closing: ExitStack) -> Server:
    print(f"  starting {name} …", file=sys.stderr, flush=True)
    port, folder = free_port(), Path(closing.enter_context(tempfile.TemporaryDirectory()))
    url = f"http://127.0.0.1:{port}/v1"
    environment: dict[str, str] = {}
    ready = "/health"
    if name in ("min", "bare"):
        module = "benchmarks.minimal" if name == "min" else "benchmarks.bare"
        command: list[str | Path] = [sys.executable, "-m", module, "--engine", engine, "--port", str(port)]
        process = closing.enter_context(started(command, ready=_beside(url, ready)))
        return _server(name, url, process)
    if name == "partitur":
        ready = "/readyz"
        command = [Path(sys.executable).with_name("partitur"), "serve", "--port", str(port)]
        environment = {
            "PARTITUR_HOME": str(folder / "home"),
            "PARTITUR_API_KEY": _KEY,
            "PARTITUR_MODEL_URL": engine,
            "PARTITUR_MODEL_NAME": MODEL,
            "PARTITUR_MODEL_PRICE_INPUT": "0.15",
            "PARTITUR_MODEL_PRICE_OUTPUT": "0.6",
        }
    elif name == "litellm":
        ready = "/health/liveliness"
        model: dict[str, Any] = {"model": f"hosted_vllm/{MODEL}", "api_base": engine, "api_key": "-"}
        settings = {
            "model_list": [{"model_name": MODEL, "litellm_params": model}],
            "litellm_settings": {"telemetry": False},
            "general_settings": {"master_key": _KEY},
        }
        (folder / "config.yaml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
        command = [_peer(name) / "litellm", "--config", folder / "config.yaml", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
        environment = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}
    else:
        ready = "/status"
        pipelines = folder / "pipelines" / MODEL
        pipelines.mkdir(parents=True)
        wrapper = _WRAPPER.replace("MODEL", MODEL).replace("ENGINE", engine)
        (pipelines / "pipeline_wrapper.py").write_text(wrapper, "utf-8")
        command = [_peer(name) / "hayhooks", "run", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--pipelines-dir", folder / "pipelines"]
        environment = {"HAYSTACK_TELEMETRY_ENABLED": "False", "LOG": "ERROR"}
    process = closing.enter_context(
        started(command, ready=_beside(url, ready), environment=environment, folder=folder, within_s=180)
    )
    return _server(name, url, process)


def _server(name: str, url: str, process: Process) -> Server:
    return Server(name, url, _KEY, process.pid, process.ready_s, memory_mb(process.pid))


def _beside(url: str, path: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{path}"


def _peer(name: str) -> Path:
    """Folder of a peer's programs; made from the package index where it is not there yet."""
    folder = ROOT / ".tools" / "peers" / name
    if not (folder / "done").exists():
        print(f"  installing {name} …", file=sys.stderr, flush=True)
        python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name]], check=True, env=environment)
        (folder / "done").touch()
    return folder / "bin"
