"""Closes objects safely when the garbage collector finalizes them. In: a function that takes locks and waits
for threads. Out: a call of it, at once or, during a garbage collection, in a separate thread. A collection
may start at any point of any thread, even while that thread holds a lock of fetchpool: code that waits there
for another lock or thread may wait forever.
"""

from __future__ import annotations

import _thread
import gc
from collections.abc import Callable, Mapping
from contextlib import suppress

_collecting: set[int] = set()
"""Threads in which a garbage collection is running."""


def _on_collection(phase: str, _info: Mapping[str, int]) -> None:
    if phase == "start":
        _collecting.add(_thread.get_ident())
    else:
        _collecting.discard(_thread.get_ident())


def call_outside(close: Callable[[], object]) -> None:
    """Call `close`. During a garbage collection return at once, and call it in another thread. If no thread
    can be started, it is not called; whatever is still open is closed at exit."""
    if _thread.get_ident() not in _collecting:
        close()
        return
    with suppress(RuntimeError):  # `threading` would take its own locks, which this thread may hold
        _thread.start_new_thread(close, ())


gc.callbacks.append(_on_collection)
