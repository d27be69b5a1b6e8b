"""A fault engine as a process of its own, so that it can be killed: `drill_engine.py <port> <seconds between pieces>`."""

import sys
import threading

from fault_answers import paced
from fault_engine import FaultEngine


def main() -> None:
    engine = FaultEngine()
    engine._port = int(sys.argv[1])
    engine.otherwise(paced(float(sys.argv[2]), text="Das Freibad öffnet am ersten Mai. " * 3))
    threading.Thread(target=engine._loop.run_forever, daemon=True).start()
    engine.revive()
    print(engine.url, flush=True)
    for _ in sys.stdin:  # a line asks what it is doing
        print(engine.running, engine.aborted, engine.connections, flush=True)


if __name__ == "__main__":
    main()
