"""Formats the words of a report: shares, kinds of failure and their groups.

In: numbers and the `error` of rows. Out: short text. Pure.
"""

from __future__ import annotations

from http import HTTPStatus

from fetchpool.model.failures import FailureKind
from fetchpool.report.numbers import Example, Numbers

OK = "ok"
KINDS = {str(kind): kind for kind in FailureKind}
PHRASES = {f"http_{status.value}": status.phrase for status in HTTPStatus}


def share(part: int, of: int) -> str:
    """Format a share with two significant digits: `2.5 %`, `0.031 %`. Only the total is `100 %`."""
    if part == of:
        return "100 %"
    value = 100 * part / of
    if value >= 99.95:
        return f"{int(value * 100) / 100:.2f} %" if value < 99.995 else ">99.99 %"
    if value >= 98.5:
        return f"{value:.1f} %"
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.2g} %"


def meaning(error: str) -> str:
    """Return the meaning of a kind of failure; empty for an unknown kind."""
    kind = KINDS.get(error)
    return PHRASES.get(error, "") if kind is None else kind.message


def message(example: Example, error: str) -> str:
    """Return an example's message, if it says more than the kind of its failure."""
    said = example.errormsg or ""
    return "" if said in (meaning(error), f"the server answered {error[5:]}") else said


def group(error: str) -> str:
    """Return the group of a kind of failure."""
    if error.startswith("http_"):
        return "HTTP 4xx" if error.startswith("http_4") else "HTTP 5xx" if error[5:6] >= "5" else "HTTP"
    kind = KINDS.get(error)
    return "other" if kind is None else kind.report_group


def groups(numbers: Numbers) -> list[tuple[str, int]]:
    """Return the number of URLs by group, successful ones first, then the groups by number of failures."""
    found: dict[str, int] = {}
    for error, urls in numbers.failures.items():
        found[group(error)] = found.get(group(error), 0) + urls
    return [(OK, numbers.ok), *sorted(found.items(), key=lambda item: (-item[1], item[0]))]
