"""How the interpreter behaves while a server loads: no garbage collector, and short turns, so that requests get theirs."""

import gc
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["loading"]

_TURN_S = 0.0005
_YOUNG = 5_000
"""Objects made before the collector looks at them: an agent run makes thousands, and few of them in circles."""


@contextmanager
def loading() -> Generator[Callable[[], None]]:
    """Loading makes half a million objects that live as long as the process: going through them again and again costs a
    sixth of the start, and later each full collection a tenth of a second in which nobody is answered. Imports run in a
    thread meanwhile; with Python's own turns of 5 ms it keeps each request waiting that long several times.

    Gives what ends this: it collects once, sets what is left aside for good, collects less often from then on, and goes
    back to common turns.
    """
    turn, common = sys.getswitchinterval(), gc.get_threshold()
    gc.disable()
    sys.setswitchinterval(_TURN_S)

    def loaded() -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, *common[1:])
        gc.enable()
        sys.setswitchinterval(turn)

    try:
        yield loaded
    finally:
        gc.unfreeze()
        gc.set_threshold(*common)
        gc.enable()
        sys.setswitchinterval(turn)
