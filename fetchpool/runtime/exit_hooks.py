"""Calls functions when the program ends, to abort open runs and pools: their timeouts may be minutes away,
and the interpreter would wait for them, or stop in the middle of a write. In: a function. Out: a call of it,
unless it has been unregistered, after the main thread and all other non-daemon threads have ended.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

Ending = Callable[[], object]

_last: dict[object, Ending] = {}
_early: dict[object, Ending] = {}


def at_exit(end: Ending, *, early: bool = False) -> Callable[[], None]:
    """Call `end` when the program ends; return a function that unregisters it. `early`: as soon as the main
    thread has ended, which is when the standard library waits for its process pools."""
    endings, key = (_early if early else _last), object()
    if early and not _early:
        _register_early()
    endings[key] = end
    return partial(_forget, endings, key)


def _forget(endings: dict[object, Ending], key: object) -> None:
    endings.pop(key, None)


def _end(endings: dict[object, Ending]) -> None:
    while endings:
        with suppress(KeyError):  # unregistered meanwhile
            _, end = endings.popitem()
            with suppress(
                Exception
            ):  # there is no caller to report to, and the other functions must still run
                end()


_is_registered = False


def _register_early() -> None:
    """Register after the standard library's own function: the one registered last is called first."""
    global _is_registered
    register = getattr(threading, "_register_atexit", None)  # without it `_early` runs with `_last`
    if _is_registered or register is None:
        return
    import concurrent.futures.process  # noqa: F401 - it registers its own

    with suppress(RuntimeError):  # the main thread has ended already
        register(_end, _early)
        _is_registered = True


def _forget_all() -> None:
    """Clear the functions in a forked child: everything open belongs to the parent."""
    _last.clear()
    _early.clear()


atexit.register(_end, _early)
atexit.register(_end, _last)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
