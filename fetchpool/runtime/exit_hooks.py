"""What is still open when the program ends: it is ended then. Its deadlines may be minutes away, and the
interpreter would wait for them, or stop in the midst of a write.

In: what ends it. Out: that is called, unless it is forgotten before, once the main thread has ended and all
others that the interpreter waits for.
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
    """Has `end` called when the program ends; what is returned has it forgotten. `early`: as soon as the
    main thread has ended. That is when the standard library waits for what its process pools were given."""
    endings, key = (_early if early else _last), object()
    if early and not _early:
        _hear_of_the_main_threads_end()
    endings[key] = end
    return partial(_forget, endings, key)


def _forget(endings: dict[object, Ending], key: object) -> None:
    endings.pop(key, None)


def _end(endings: dict[object, Ending]) -> None:
    while endings:
        with suppress(KeyError):  # it was forgotten meanwhile
            _, end = endings.popitem()
            with suppress(Exception):  # nobody is there to be told, and others are to be ended
                end()


_hears = False


def _hear_of_the_main_threads_end() -> None:
    """What is registered last is called first: it must come after the library's own."""
    global _hears
    register = getattr(threading, "_register_atexit", None)  # without it the last moment has to do
    if _hears or register is None:
        return
    import concurrent.futures.process  # noqa: F401 - it registers its own

    with suppress(RuntimeError):  # the main thread has ended already
        register(_end, _early)
        _hears = True


def _forget_all() -> None:
    """A forked child has nothing to end: it is all its parent's."""
    _last.clear()
    _early.clear()


atexit.register(_end, _early)
atexit.register(_end, _last)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
