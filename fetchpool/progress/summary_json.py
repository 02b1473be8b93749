"""The summary as an object, for programs (`--summary json`).

In: the `RunResult` and the configuration. Out: a mapping of numbers and text. Times are seconds, sizes bytes.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded by the caller already
    from fetchpool.config.run_config import RunConfig
    from fetchpool.engine.engine import RunResult

DIGITS = 6
"""Decimals of a time: microseconds."""


def summary_object(
    result: RunResult,
    config: RunConfig,
    exit_code: int,
    *,
    saved: int = 0,
    changes: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the summary of a run; the arguments are those of `summary()`."""
    snapshot = result.snapshot
    left = None if snapshot.total is None else max(snapshot.total - snapshot.done, 0)
    fetched = snapshot.done - snapshot.done_before
    found: dict[str, Any] = {
        "urls": snapshot.done,
        "ok": snapshot.ok,
        "failed": snapshot.done - snapshot.ok,
        "by_kind": {kind.kind: kind.count for kind in snapshot.failed},
        "done_before": snapshot.done_before,
        "duplicates": snapshot.duplicates,
        "retries": snapshot.retries,
        "not_fetched": left if result.interrupted else 0,
        "interrupted": result.interrupted,
        "stopped_by": result.stopped_by or result.steered_by.removeprefix("by ").removeprefix("from "),
        "sizes": {
            "delivered": snapshot.size_delivered,
            "download": snapshot.size_download,
            "p50": snapshot.size_p50,
            "max": snapshot.size_max,
        },
        "times": {
            "elapsed": round(snapshot.elapsed, DIGITS),
            "p50": round(snapshot.time_p50, DIGITS),
            "p95": round(snapshot.time_p95, DIGITS),
            "max": round(snapshot.time_max, DIGITS),
        },
        "urls_per_second": round(fetched / snapshot.elapsed, 3) if snapshot.elapsed > 0 else 0.0,
        "outputs": [
            {"path": output.path, "format": output.format, "rows": rows}
            for output, rows in zip(config.outputs, result.rows, strict=True)
        ],
    }
    if config.fetch.save:
        found["saved"] = {"directory": config.fetch.save, "bodies": saved}
    if changes is not None:
        found["changes"] = dict(changes)
    if result.input_failure is not None:
        found["input_failure"] = result.input_failure
    found["exit_code"] = int(exit_code)
    return found
