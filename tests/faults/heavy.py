"""Answers that are little to send and much to work through: what is to cost linear time and bounded memory.

Imported by `conftest.py`, which registers them.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable

from tests.faults.scenarios import PAGE
from tests.faults.server import Peer, Received, scenario
from tests.unit.codings import ENCODERS, one_brotli

MEBIBYTE = 1 << 20
LARGE = 192 * MEBIBYTE
"""Bytes of `large-page`."""


@functools.cache
def seconds_of_decoding(coding: str) -> bytes:
    """64 GiB, which take any decoder half a minute: gzip within another coding."""
    outer = ENCODERS[coding.removeprefix("gzip, ")][1]
    return outer(gzip.compress(bytes(16 * MEBIBYTE)) * 4096)


HEAVY = ("gzip, gzip", "gzip, br", "gzip, zstd")


def _registered(name: str, body: Callable[[], bytes], *headers: str) -> None:
    @scenario(name)
    def send(peer: Peer, request: Received) -> None:
        peer.answer(body(), *headers, method=request.method)


for _label in HEAVY:
    _registered(
        f"heavy-{_label.replace(', ', '-')}",
        functools.partial(seconds_of_decoding, _label),
        f"Content-Encoding: {_label}",
    )


@scenario("after-a-moment")
def after_a_moment(peer: Peer, _: Received) -> None:
    """A page whose answer comes 0.2 s later."""
    peer.pause(0.2)
    peer.answer(PAGE)


_registered(
    "large-page",
    functools.cache(lambda: one_brotli(bytes(MEBIBYTE), LARGE // MEBIBYTE)),
    "Content-Encoding: br",
    "Content-Type: text/html",
)
