"""From a finished future to the row: the done-callback.

In: a request and its `Future[Outcome]`. Out: a `CompletedAttempt`, with the size summary in it. It never
raises, never writes, never blocks; it runs in whatever thread finished the future.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from typing import Any

from msgspec import Struct

from fetchpool.model.errors import WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.fingerprint import shown
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible


class CompletedAttempt(Struct, frozen=True):
    """One attempt is over. Without an outcome it never came to anything: the worker died
    (`lost`), or the run was aborted under it."""

    request: FetchRequest
    outcome: Outcome | None
    record: Record | None
    lost: bool = False


def summarise(request: FetchRequest, future: Future[Outcome]) -> CompletedAttempt:
    """What became of the request, whatever became of the future."""
    try:
        outcome = future.result()
    except CancelledError:
        return CompletedAttempt(request, None, None)
    except WorkerLostError:
        return CompletedAttempt(request, None, None, lost=True)
    except BaseException as defect:  # noqa: BLE001 - a pool's own loses no URL: it is a row that says so
        message = escape_invisible(f"{type(defect).__name__}: {defect}".splitlines()[0])
        outcome = refusal(request, FailureKind.INTERNAL, message)
    return conclude(request, outcome)


def conclude(request: FetchRequest, outcome: Outcome) -> CompletedAttempt:
    """An outcome with its row."""
    return CompletedAttempt(request, outcome, record_of(request, outcome))


def record_of(request: FetchRequest, outcome: Outcome) -> Record:
    """The row for the attempt that was final."""
    extra = outcome.extra
    if outcome.content_encoding is not None:  # why both sizes are the wire's
        extra = {**extra, "content_encoding": outcome.content_encoding}
    if request.columns is not None:
        extra = passed_through(request.columns, extra)
    return Record(
        request.urlnum,
        shown(request.url),
        outcome.url_effective,
        outcome.method,
        outcome.response_code,
        outcome.http_version,
        outcome.content_type,
        outcome.num_redirects,
        request.num_retries,
        outcome.remote_ip,
        outcome.size_download,
        outcome.size_delivered,
        outcome.time_namelookup,
        outcome.time_connect,
        outcome.time_appconnect,
        outcome.time_starttransfer,
        outcome.time_total,
        outcome.timestamp,
        outcome.error,
        outcome.errormsg,
        outcome.exitcode,
        extra,
    )


def passed_through(columns: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """The input's columns, and behind them what was found out; of two with one name the input's gives way."""
    kept = {f"input_{name}" if name in extra else name: value for name, value in columns.items()}
    return kept | extra
