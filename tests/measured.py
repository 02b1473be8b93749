"""Tests that measure: what a program does depends on how fast the machine is at the moment."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import ParamSpec

TRIES = 3
Parameters = ParamSpec("Parameters")


def measured(test: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Repeat a test that fails, up to twice: other tests may have slowed its runs down, and what holds a run
    up then is not what the test has arranged."""

    @functools.wraps(test)
    def repeated(*arguments: Parameters.args, **others: Parameters.kwargs) -> None:
        for _ in range(TRIES - 1):
            with contextlib.suppress(AssertionError):
                return test(*arguments, **others)
        return test(*arguments, **others)

    return repeated
