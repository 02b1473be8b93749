"""The summary as an object, for programs (`--summary json`, `--progress json`).

In: the `RunResult` and the configuration. Out: a `Summary`. Times are seconds, sizes bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:  # loaded by the caller already
    from fetchpool.config.run_config import RunConfig
    from fetchpool.engine.engine import RunResult

DIGITS = 6
"""Decimals of a time: microseconds."""


class Sizes(Struct, frozen=True):
    """Sizes of the bodies, in bytes."""

    delivered: int
    """The sum of `size_delivered`: after decoding."""
    download: int
    """The sum of `size_download`: on the wire."""
    p50: int
    """The median of `size_delivered` over all rows without an error."""
    max: int
    """The largest of them."""


class Times(Struct, frozen=True):
    """Durations, in seconds."""

    elapsed: float
    """The run, from its start to its end."""
    paused: float
    """The part of `elapsed` for which the run was paused."""
    p50: float
    """The median of `time_total` over all rows that have one."""
    p95: float
    """The 95th percentile of them."""
    max: float
    """The largest of them."""


class OutputRows(Struct, frozen=True):
    """An output, and the number of rows that the run has written to it."""

    path: str
    format: str
    rows: int


class SavedBodies(Struct, frozen=True):
    """The number of bodies in the directory of `--save`."""

    directory: str
    bodies: int


class Summary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a run. `saved`, `workers_lost`, `changes`, `links_not_followed` and `input_failure` are
    left out if they do not apply."""

    urls: int
    """Finished URLs, including rows of earlier runs."""
    ok: int
    failed: int
    by_kind: dict[str, int]
    """Failed URLs by their error, the most frequent first."""
    done_before: int
    """How many of `urls` have a row from an earlier run."""
    duplicates: int
    retries: int
    not_fetched: int | None
    """URLs of the input that an interrupted run did not fetch; null if unknown."""
    interrupted: bool
    stopped_by: str
    """The option whose limit stopped the run, or `a key`, `the web page`; empty if none did."""
    sizes: Sizes
    times: Times
    urls_per_second: float
    outputs: tuple[OutputRows, ...]
    saved: SavedBodies | None = None
    workers_lost: int = 0
    """Workers (processes) that have crashed while they were fetching; left out if none has."""
    changes: dict[str, int] | None = None
    """URLs by what has changed since the run that `--refresh` names."""
    links_not_followed: dict[str, int] | None = None
    """With --recursive, the number of links that were not followed, by reason."""
    input_failure: str | None = None
    """Why an input could not be read to its end."""
    exit_code: int


def summary_object(
    result: RunResult,
    config: RunConfig,
    exit_code: int,
    *,
    saved: int = 0,
    changes: Mapping[str, int] | None = None,
) -> Summary:
    """Return the summary of a run; the arguments are those of `summary()`."""
    snapshot = result.snapshot
    left = None if snapshot.total is None else max(snapshot.total - snapshot.done, 0)
    fetched = snapshot.done - snapshot.done_before
    worked = snapshot.elapsed - snapshot.time_paused
    return Summary(
        urls=snapshot.done,
        ok=snapshot.ok,
        failed=snapshot.done - snapshot.ok,
        by_kind={kind.kind: kind.count for kind in snapshot.failed},
        done_before=snapshot.done_before,
        duplicates=snapshot.duplicates,
        retries=snapshot.retries,
        not_fetched=left if result.interrupted else 0,
        interrupted=result.interrupted,
        stopped_by=result.stopped_by or result.steered_by.removeprefix("by ").removeprefix("from "),
        sizes=Sizes(snapshot.size_delivered, snapshot.size_download, snapshot.size_p50, snapshot.size_max),
        times=Times(
            round(snapshot.elapsed, DIGITS),
            round(snapshot.wait_times.paused, DIGITS),
            round(snapshot.time_p50, DIGITS),
            round(snapshot.time_p95, DIGITS),
            round(snapshot.time_max, DIGITS),
        ),
        urls_per_second=round(fetched / worked, 3) if worked > 0 else 0.0,
        outputs=tuple(
            OutputRows(output.path, output.format, rows)
            for output, rows in zip(config.outputs, result.rows, strict=True)
        ),
        workers_lost=snapshot.workers_lost,
        saved=SavedBodies(config.fetch.save, saved) if config.fetch.save else None,
        changes=None if changes is None else dict(changes),
        links_not_followed=None if result.crawl is None else result.crawl.not_followed,
        input_failure=result.input_failure,
        exit_code=int(exit_code),
    )
