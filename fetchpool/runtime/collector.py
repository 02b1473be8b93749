"""Closes things safely when the garbage collector does it.

In: a function that takes locks and waits for threads. Out: its call: at once, or in a thread of its own
during a garbage collection. A collection may start at any point of any thread, also while that thread holds
one of our locks: code that waits there for another lock or thread may wait for ever.
"""

from __future__ import annotations

import _thread
import gc
from collections.abc import Callable, Mapping
from contextlib import suppress

_collecting: set[int] = set()
"""Threads in which a collection runs."""


def _on_collection(phase: str, _info: Mapping[str, int]) -> None:
    if phase == "start":
        _collecting.add(_thread.get_ident())
    else:
        _collecting.discard(_thread.get_ident())


def call_outside(close: Callable[[], object]) -> None:
    """Call `close`. During a garbage collection return at once, and call it in another thread. If there is
    none to be had, it is not called: what is open at exit is closed then."""
    if _thread.get_ident() not in _collecting:
        close()
        return
    with suppress(RuntimeError):  # `threading` would take locks of its own, which this thread may hold
        _thread.start_new_thread(close, ())


gc.callbacks.append(_on_collection)
