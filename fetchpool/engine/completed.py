"""Turns a completed future into a `CompletedAttempt`.

In: a future of the engine. Out: a `CompletedAttempt`. Raises nothing, writes nothing, never blocks.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.model.errors import WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.pools.future import LightFuture


class CompletedAttempt(Struct, frozen=True):
    """An attempt that has ended. It has no outcome if its worker crashed or it was cancelled."""

    request: FetchRequest
    outcome: Outcome | None
    crashed: str | None = None
    """The name of the worker that crashed; None if none did."""


def completed(future: LightFuture) -> CompletedAttempt:
    """Return the completed attempt, whatever the future holds."""
    request = future.request
    assert request is not None
    try:
        outcome = future.outcome()
    except CancelledError:
        return CompletedAttempt(request, None)
    except WorkerLostError as lost:
        return CompletedAttempt(request, None, lost.worker)
    except BaseException as bug:  # noqa: BLE001 - a pool's own bug loses no URL: its row reports the bug
        message = escape_invisible(f"{type(bug).__name__}: {bug}".splitlines()[0])
        outcome = refusal(request, FailureKind.INTERNAL, message)
    return CompletedAttempt(request, outcome)


def with_input_columns(record: Record, columns: dict[str, Any]) -> Record:
    """Return the row with the input's columns before its extra fields. A column with the name of a field is
    prefixed with `input_`."""
    extra = record.extra
    kept = {f"input_{name}" if name in extra else name: value for name, value in columns.items()}
    return replace(record, extra=kept | extra)


def with_crawl_fields(record: Record, found: dict[str, Any]) -> Record:
    """Return the row with how its URL was found, and with the fields of a page, which are None for other
    content."""
    added = {**found, "num_links": None, "canonical": None, "redirect_url": None}
    return replace(record, extra={**added, **record.extra, **found})
