"""Answers that are little to send and much to work through: what is to cost linear time and bounded memory.

Imported by `conftest.py`, which registers them.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable

from tests.encoders import ENCODERS, one_brotli
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import Peer, Received, scenario

MEBIBYTE = 1 << 20
LARGE = 192 * MEBIBYTE
"""Bytes of `large-page`."""


@functools.cache
def seconds_of_decoding(coding: str) -> bytes:
    """16 GiB, which take any decoder ten seconds and more: gzip within another coding."""
    outer = ENCODERS[coding.removeprefix("gzip, ")][1]
    return outer(gzip.compress(bytes(16 * MEBIBYTE)) * 1024)


HEAVY = ("gzip, gzip", "gzip, br", "gzip, zstd")


def _registered(name: str, body: Callable[[], bytes], *headers: str) -> None:
    @scenario(name)
    def send(peer: Peer, request: Received) -> None:
        peer.respond(body(), *headers, method=request.method)


for _label in HEAVY:
    _registered(
        f"heavy-{_label.replace(', ', '-')}",
        functools.partial(seconds_of_decoding, _label),
        f"Content-Encoding: {_label}",
    )


@scenario("after-a-moment")
def after_a_moment(peer: Peer, _: Received) -> None:
    """A page whose response comes 0.2 s later."""
    peer.pause(0.2)
    peer.respond(PAGE)


_registered(
    "large-page",
    functools.cache(lambda: one_brotli(bytes(MEBIBYTE), LARGE // MEBIBYTE)),
    "Content-Encoding: br",
    "Content-Type: text/html",
)


def _page(name: str, page: Callable[[], str], content_type: str = "text/html") -> None:
    _registered(name, lambda: page().encode(), f"Content-Type: {content_type}")


PAGES = {
    "formatting-elements": lambda: (
        "<p>" + "<b><i><u><a><font>" * 2_500 + "<p>" * 200 + "<title>Found</title>"
    ),
    "many-attributes": lambda: (
        f"<p {' '.join(f'a{number}=1' for number in range(90_000))}><title>Found</title>"
    ),
    "open-quotes": lambda: "<a b='" * 30_001 + "'><title>Found</title>",
    "open-scripts": lambda: "<script><!--" * 80_000,
    "open-comments": lambda: "<!--" * 250_000,
    "nested-pictures": lambda: "<svg><desc>" * 40_000 + "</math>" * 20_000,
    "long-title": lambda: "<title>" + "&#" + "9" * 500_000 + " &amp" * 100_000,
}
"""Of a megabyte at most, each of which some parser of HTML takes minutes or gigabytes for."""
for _name, _make in PAGES.items():
    _page(_name, _make)
_page("blanks-in-content-type", lambda: "<title>Found</title>", f"text/html; charset={' ' * 90_000};x")
