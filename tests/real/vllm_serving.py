"""Starts the real vLLM on the tiny models, waits until it serves, and stops it.

python tests/real/vllm_serving.py chat 8000      serves by hand what 'make test-vllm' has made, until Ctrl-C
"""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HOME", "LORA", "QUEUE", "Engine", "command", "free_port", "serve_vllm"]

HOME = Path(__file__).resolve().parent.parent.parent / ".tools" / "vllm"
LORA = "tiny-german"
PATIENCE_S = 360.0
QUEUE = 16
"""Requests that the chat engine takes at once; eight of them it computes."""
CHAT = (
    "--enable-auto-tool-choice",
    "--tool-call-parser=hermes",
    "--tool-strict-level=parameter",
    '--structured-outputs-config={"backend":"xgrammar","disable_any_whitespace":true}',
    "--enable-prompt-tokens-details",
    "--scheduling-policy=priority",
    f"--max-num-queued-reqs={QUEUE}",
    "--enable-lora",
    f"--lora-modules={LORA}={HOME / 'models' / LORA}",
)
POOLING = ("--runner=pooling",)
ANY = ("--enable-request-id-headers", "--disable-access-log-for-endpoints=/health,/metrics")
TINY = ("--dtype=float32", "--enforce-eager", "--max-num-seqs=8", '--override-generation-config={"temperature":0}')
"""For models this small on a CPU, and for answers that are the same each time; nothing for a real one."""
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # Two threads wait for each other: 3.5 tokens a second instead of 100.
    "OMP_NUM_THREADS": "1",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}


@dataclass(frozen=True)
class Engine:
    """A vLLM that serves."""

    name: str
    """Of its model."""
    root: str
    """Its address; the OpenAI interface is below it."""
    log: Path

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def metric(self, name: str, label: str = "") -> float:
        """A figure of its metrics, summed over all that have `label`."""
        with urllib.request.urlopen(f"{self.root}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        lines = re.findall(rf"^{re.escape(name)}(\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in lines if label in labels)


def command(kind: str, port: int, *further: str) -> list[str]:
    """How the engine of a kind, 'chat' or 'embed', is started."""
    name = f"tiny-{kind}"
    flags = [*(CHAT if kind == "chat" else POOLING), *ANY, *TINY, *further]
    listening = [f"--served-model-name={name}", "--host=127.0.0.1", f"--port={port}"]
    return [str(HOME / "env" / "bin" / "vllm"), "serve", str(HOME / "models" / name), *listening, *flags]


@contextmanager
def serve_vllm(kind: str, folder: Path, *further: str, port: int) -> Generator[Engine]:
    """Serves while the block lasts. One engine at a time on this machine: a second one waits for its turn.

    Args:
        kind: 'chat' or 'embed'.
        folder: for its log.
        further: flags besides those of its kind.
        port: where it listens.
    """
    log = folder / f"vllm-{kind}.log"
    with (HOME / "serving").open("w") as turn, log.open("wb") as sink:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another vLLM serves from this folder; waiting for its end …", file=sys.__stderr__, flush=True)
            fcntl.flock(turn, fcntl.LOCK_EX)
        process = subprocess.Popen(
            command(kind, port, *further),
            cwd=folder,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,  # its workers are stopped with it
        )
        engine = Engine(f"tiny-{kind}", f"http://127.0.0.1:{port}", log)
        try:
            _wait(engine, process)
            yield engine
        finally:
            _stop(process)


def _wait(engine: Engine, process: "subprocess.Popen[bytes]") -> None:
    began = told = time.monotonic()
    while not _ready(engine):
        now = time.monotonic()
        tail = engine.log.read_text(encoding="utf-8", errors="replace")[-4000:]
        if process.poll() is not None:
            raise RuntimeError(f"vLLM ended with {process.returncode} before it served:\n{tail}")
        if now - began > PATIENCE_S:
            raise RuntimeError(f"vLLM does not serve {engine.name!r} after {PATIENCE_S:.0f} s:\n{tail}")
        if now - told > 15:
            told = now
            last = tail.rstrip().rpartition("\n")[2][-100:]
            print(f"vLLM, {engine.name}: {now - began:.0f} s … {last}", file=sys.__stderr__, flush=True)
        time.sleep(0.5)  # another process's start; there is nothing to wait on but its answer
    print(f"vLLM serves {engine.name} after {time.monotonic() - began:.0f} s.", file=sys.__stderr__, flush=True)


def _ready(engine: Engine) -> bool:
    try:
        with urllib.request.urlopen(f"{engine.root}/health", timeout=10) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for by, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 30)):
        try:
            os.killpg(process.pid, by)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    words = command(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    print(json.dumps(words, indent=1), file=sys.stderr)
    os.execve(words[0], words, {**os.environ, **ENVIRONMENT})
