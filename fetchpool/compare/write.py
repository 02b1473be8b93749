"""Writes a comparison to files: JSON for programs, Markdown and HTML for readers.

In: a `Comparison`, and paths whose suffixes select the format. Out: complete files, or a `UsageError` before
the first trial. A file that is not a comparison is not replaced.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from fetchpool.compare.judge import Result, Spread
from fetchpool.compare.table import Comparison, cells, described, headline, notes
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.model.version import VERSION

MARK = "fetchpool compare"
"""A text near the beginning of every file."""
MARKED = 300
"""Number of bytes searched for the mark."""
DIGITS = 6
"""Decimals of a time: microseconds."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }
td[colspan] { white-space: normal; opacity: .75; }
.wide { overflow-x: auto; }
.bar { background: #3b7dd8; height: .35rem; border-radius: 2px; margin-top: .15rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def check_outputs(paths: Iterable[str]) -> None:
    """Raise `UsageError` for a path that can't be written."""
    for path in paths:
        name = escape_invisible(path)
        if Path(path).suffix.lower() not in WRITERS:
            raise UsageError(f"-o {name}: a comparison is written to {', '.join(WRITERS)} files")
        try:
            if Path(path).exists() and MARK not in _beginning(path):
                raise UsageError(f"-o {name}: exists and is not a comparison; choose another name")
            if not os.access(Path(path).parent, os.W_OK):
                raise UsageError(f"-o {name}: its directory does not exist or can't be written to")
        except OSError as failure:
            raise UsageError(f"-o {name}: {failure.strerror}") from failure


def _beginning(path: str) -> str:
    with Path(path).open("rb") as file:
        return file.read(MARKED).decode(errors="replace")


def write(comparison: Comparison, paths: Iterable[str]) -> None:
    """Write the files, each atomically. Raises `OutputError`."""
    for path in paths:
        text = WRITERS[Path(path).suffix.lower()](comparison)
        try:
            _replace(Path(path), text.encode())
        except OSError as failure:
            raise OutputError(f"{escape_invisible(path)}: {failure.strerror}") from failure


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(file.fileno(), 0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


# JSON


def as_json(comparison: Comparison) -> str:
    """Return the comparison as JSON. Times are seconds, sizes bytes."""
    plan, differences = comparison.plan, comparison.differences
    content = {
        "program": MARK,
        "version": VERSION,
        "urls": comparison.urls,
        "repeat": plan.repeat,
        "seed": plan.seed,
        "interrupted": comparison.interrupted,
        "results": [_result(result) for result in comparison.results],
        "missing": [
            {"executor": combination.executor, "transport": combination.transport, "reason": why}
            for combination, why in plan.missing
        ],
        "failed_trials": [
            {"executor": combination.executor, "transport": combination.transport, "reason": why}
            for combination, why in comparison.failures
        ],
        "rows": {
            "same": not differences.count,
            "trials": differences.trials,
            "differences": differences.count,
            "listed": [
                {
                    "url": each.url,
                    "found": [{"value": value, "trials": names} for value, names in described(each)],
                }
                for each in differences.listed
            ],
        },
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _result(result: Result) -> dict[str, Any]:
    return {
        "executor": result.combination.executor,
        "transport": result.combination.transport,
        "trials": result.trials,
        "urls": result.urls,
        **_median_and_range("wall", result.wall),
        **_median_and_range("cpu", result.cpu),
        "cpu_per_url": None if result.cpu_per_url is None else round(result.cpu_per_url, DIGITS + 3),
        **_median_and_range("memory", result.memory),
        "rate": round(result.rate, 3),
        **_median_and_range("failed", result.failed),
        **_median_and_range("p50", result.p50),
        **_median_and_range("p95", result.p95),
    }


def _median_and_range(name: str, spread: Spread | None) -> dict[str, Any]:
    if spread is None:
        return {name: None, f"{name}_range": None}
    median, low, high = map(_number, (spread.median, spread.low, spread.high))
    return {name: median, f"{name}_range": [low, high]}


def _number(value: float) -> float:
    """Return a time to the microsecond, or a count as an integer."""
    return int(value) if value == int(value) else round(value, DIGITS)


# Markdown and HTML


def as_markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown document."""
    headings, *rows = cells(comparison)
    lines = [f"# {MARK}", "", headline(comparison.plan, comparison.urls), ""]
    lines += [_row(headings), "|---|---|---|" + "---:|" * (len(headings) - 3)]
    lines += [_row([*row, *[""] * (len(headings) - len(row))]) for row in rows]
    lines += [""]
    for note in notes(comparison)[1:]:
        lines.append(f"    {note.strip()}" if note.startswith(" ") else f"{_plain(note)}\n")
    return "\n".join(lines).rstrip() + "\n"


def _row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(map(_plain, texts))} |"


def _plain(text: str) -> str:
    """Escape text so that nothing in it is markup."""
    for character in "\\`*_[]<|":
        text = text.replace(character, f"\\{character}")
    return text


def as_html(comparison: Comparison) -> str:
    """Return the comparison as a self-contained page."""
    headings, *rows = cells(comparison)
    highest = max((result.rate for result in comparison.results), default=0.0)
    shares = [result.rate / highest if highest else 0.0 for result in comparison.results]
    body = [f"<tr>{''.join(f'<th>{escape(heading)}</th>' for heading in headings)}</tr>"]
    for number, row in enumerate(rows):
        if len(row) < len(headings):
            shown = [*map(_cell, row[:-1]), f'<td colspan="{len(headings) - 2}">{escape(row[-1])}</td>']
        else:
            shown = [*map(_cell, row)]
            bar = f'<div class="bar" style="width: {shares[number]:.1%}"></div>'
            shown[2] = f"<td>{escape(row[2])}{bar}</td>"
        body.append(f"<tr>{''.join(shown)}</tr>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{MARK}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>\n'
        f"<h1>{MARK}</h1>\n<p>{escape(headline(comparison.plan, comparison.urls))}</p>\n"
        f'<div class="wide"><table>\n{chr(10).join(body)}\n</table></div>\n'
        f"<pre>{escape(chr(10).join(notes(comparison)).strip())}</pre>\n</body></html>\n"
    )


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


WRITERS: dict[str, Callable[[Comparison], str]] = {
    ".json": as_json,
    ".md": as_markdown,
    ".html": as_html,
}
"""The functions that write a comparison, by suffix."""
