"""Parsers for tests of pools. Each worker process imports this module. It imports only what they have loaded
anyway, since a module of tests would take longer than the fetches."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fetchpool.http.response import Response

HOLD = ctypes.PyDLL(None).usleep
"""Holds the interpreter lock for so many microseconds, without computing."""
RELEASE = threading.Event()
"""For parsers that run in this process: their threads are to end with the test."""


def stays(response: Response) -> dict[str, Any]:
    """Does not return for /stay."""
    if "/stay" in response.url:
        RELEASE.wait(120)
    return {"thread": threading.current_thread().name, "daemon": threading.current_thread().daemon}


def computes(response: Response) -> dict[str, Any]:
    """Holds the interpreter for /stay, and never returns."""
    if "/stay" in response.url:
        re.match(r"(a+)+$", "a" * 60 + "!")
    return {"done": True}


def starts_a_thread(_: Response) -> dict[str, Any]:
    """One that is no daemon, and goes on."""
    threading.Thread(target=RELEASE.wait, args=(120,), name="heartbeat", daemon=False).start()
    return {}


def forks(_: Response) -> dict[str, Any]:
    """A child that holds whatever this process has open."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    return {"child": child}


def starts_what_ends(_: Response) -> dict[str, Any]:
    """A child process that is asked to end in the usual way, and whether that ended it."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    return {"ended_by": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


BARRIERS: dict[int | None, threading.Barrier] = {}
"""By the port of the server."""


def meets(response: Response) -> dict[str, Any]:
    BARRIERS[urlsplit(response.url).port].wait(15)
    return {}


def first_bytes(response: Response) -> dict[str, Any]:
    return {"first": response.text[:3]}


def die_if_asked(response: Response) -> dict[str, Any]:
    if response.url.endswith("/die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def die_while_sending(response: Response) -> dict[str, Any]:
    """More than a socket holds, and a process that ends as soon as a part of it is sent."""
    if not response.url.endswith("/die"):
        return {}
    sender = threading.main_thread().ident

    def die() -> None:
        while True:
            frame = sys._current_frames()[sender]
            if frame.f_code.co_name == "send" and len(frame.f_locals["outcomes"]) > 1_000_000:
                os._exit(1)  # the socket is full by now: the sender waits, and has released the interpreter

    threading.Thread(target=die, daemon=True).start()
    return {"large": "x" * 15_000_000}


def die(response: Response) -> dict[str, Any]:
    if "/die" in response.url:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"pid": os.getpid()}


def compute(response: Response) -> dict[str, Any]:
    """Holds the interpreter lock, and releases it as often as Python code does: every five milliseconds. For
    three seconds, and until there is the file that the query names."""
    if "/compute" in response.url:
        file = Path(urlsplit(response.url).query)
        began = time.monotonic()
        while (seconds := time.monotonic() - began) < 3 or (seconds < 20 and not file.exists()):
            HOLD(5_000)
    return {}


def block(response: Response) -> dict[str, Any]:
    """Never releases the lock and does not return, as a regular expression may."""
    if "/stay" in response.url:
        HOLD(100_000_000)
    return {}


def never(response: Response) -> dict[str, Any]:
    while "/stay" in response.url:
        time.sleep(0.01)
    return {}
