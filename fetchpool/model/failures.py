"""The errors that a row can have, and the words a person has for several of them.

In: nothing, or words such as `timeout`. Out: `error` values as rows have them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum


class FailureKind(StrEnum):
    """Why a URL has no complete answer. The list is closed; `error` in a row is null, one of these,
    or `http_NNN` for a final status of 400 or more."""

    INVALID_URL = "invalid_url"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    FORBIDDEN_ADDRESS = "forbidden_address"
    ROBOTS = "robots"
    HOST_DOWN = "host_down"
    DNS = "dns"
    TIMEOUT_DNS = "timeout_dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout_connect"
    TLS = "tls"
    PROXY = "proxy"
    RESET = "reset"
    EMPTY_REPLY = "empty_reply"
    TIMEOUT_READ = "timeout_read"
    TIMEOUT_TOTAL = "timeout_total"
    TRUNCATED = "truncated"
    PROTOCOL = "protocol"
    DECODE = "decode"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    PARSE = "parse"
    ABORTED = "aborted"
    INTERNAL = "internal"


EXITCODES: dict[FailureKind, int] = {
    # curl's numbers (libcurl-errors(3)), from the kind alone, so that both transports say the same.
    FailureKind.INVALID_URL: 3,
    FailureKind.UNSUPPORTED_SCHEME: 1,
    FailureKind.FORBIDDEN_ADDRESS: 7,
    FailureKind.ROBOTS: 9,
    FailureKind.HOST_DOWN: 7,
    FailureKind.DNS: 6,
    FailureKind.TIMEOUT_DNS: 28,
    FailureKind.REFUSED: 7,
    FailureKind.UNREACHABLE: 7,
    FailureKind.TIMEOUT_CONNECT: 28,
    FailureKind.TLS: 35,
    FailureKind.PROXY: 97,
    FailureKind.RESET: 56,
    FailureKind.EMPTY_REPLY: 52,
    FailureKind.TIMEOUT_READ: 28,
    FailureKind.TIMEOUT_TOTAL: 28,
    FailureKind.TRUNCATED: 18,
    FailureKind.PROTOCOL: 8,
    FailureKind.DECODE: 61,
    FailureKind.TOO_LARGE: 63,
    FailureKind.TOO_MANY_REDIRECTS: 47,
    FailureKind.PARSE: 23,
    FailureKind.ABORTED: 42,
    FailureKind.INTERNAL: 2,
}


EXITCODE_HTTP = 22
"""curl's number for "the server answered 400 or more" (`--fail`)."""


OTHER = "http_other"
"""Stands for every status from 600 on, which no standard knows and some servers send: a byte has no room for
one each (`known.py`)."""
STATUSES = tuple(f"http_{status}" for status in range(400, 600))
ERRORS = (*FailureKind, *STATUSES, OTHER)
COMMON = ("http_404", "http_429", "http_500", "http_503")
"""Of the statuses, those that are worth a guess at what was meant."""

GROUPS: dict[str, frozenset[str]] = {
    "all": frozenset(ERRORS),
    "timeout": frozenset(kind for kind in FailureKind if kind.startswith("timeout_")),
    "http_4xx": frozenset(error for error in STATUSES if error.startswith("http_4")),
    # A status beyond 599 is as good as a 5xx (RFC 9110 section 15).
    "http_5xx": frozenset((*(error for error in STATUSES if error.startswith("http_5")), OTHER)),
}
_BEYOND = re.compile(r"http_[6-9][0-9]{2}")


def meant(words: Iterable[str]) -> frozenset[str]:
    """The errors that these words stand for. Raises `ValueError` for one that stands for none."""
    chosen: set[str] = set()
    for word in words:
        if word in GROUPS:
            chosen |= GROUPS[word]
        elif word in ERRORS:
            chosen.add(word)
        elif _BEYOND.fullmatch(word):
            chosen.add(OTHER)
        else:
            raise ValueError(f"{word!r} is no kind of failure; {_hint(word)}")
    return frozenset(chosen)


def _hint(word: str) -> str:
    close = get_close_matches(word.lower(), [*GROUPS, *FailureKind, *COMMON], n=1)
    if not close and len(word) > 2:  # `404`, `5xx`
        close = [known for known in (*GROUPS, *ERRORS) if word.lower() in known]
    if close:
        return f"did you mean {close[0]}?"
    return f"write {', '.join(GROUPS)}, or an error as rows have it: dns, http_429, host_down"
