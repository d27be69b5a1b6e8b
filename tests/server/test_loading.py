"""Tests of the interpreter around a start: it goes back to how it was, whatever happened."""

import gc
import sys

import pytest

from server.loading import loading


def test_the_collector_rests_until_everything_is_loaded_and_then_leaves_it_aside() -> None:
    turn, kept, often = sys.getswitchinterval(), gc.get_freeze_count(), gc.get_threshold()
    with loading() as loaded:
        assert not gc.isenabled()
        assert sys.getswitchinterval() < turn
        loaded()
        assert gc.isenabled()
        assert gc.get_freeze_count() > kept
        assert gc.get_threshold()[0] > often[0]
        assert sys.getswitchinterval() == turn
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == often


def test_a_start_that_fails_leaves_nothing_behind() -> None:
    turn = sys.getswitchinterval()
    with pytest.raises(OSError, match="taken"), loading():
        raise OSError("taken")
    assert gc.isenabled()
    assert sys.getswitchinterval() == turn
