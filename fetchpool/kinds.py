"""The errors that a row can have, and the words a person has for several of them.

In: nothing, or words such as `timeout`. Out: `error` values as rows have them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from fetchpool.model.record import FailureKind

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
