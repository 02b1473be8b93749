"""The metrics of a run in the format of Prometheus, with prometheus-client.

In: the page's state. Out: text. Names follow Prometheus' rules: base units, `_total` for counters. No label
contains a host or URL, which would create a series for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from fetchpool.web.page import NOT_CAUSES, PageState

CONTENT_TYPE = CONTENT_TYPE_LATEST
STATES = ("running", "pausing", "paused", "stopping", "ended")


def metrics_text(state: PageState) -> bytes:
    """Return the metrics of the newest snapshot."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(state))
    return generate_latest(registry)


class _Collector:
    """Makes metrics from the newest snapshot on request."""

    def __init__(self, state: PageState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        run, snapshot = self._state.run, self._state.answer()
        info = InfoMetricFamily("fetchpool", "The program and how it fetches.")
        info.add_metric((), {"version": run.version, "executor": run.executor, "transport": run.transport})
        yield info
        yield _gauge("start_time_seconds", "When the run began, in seconds since 1970.", run.started)
        if "done" not in snapshot:
            return
        states = GaugeMetricFamily("fetchpool_state", "1 for the state of the run.", labels=("state",))
        for name in STATES:
            states.add_metric((name,), 1.0 if snapshot["state"] == name else 0.0)
        yield states
        rows = CounterMetricFamily("fetchpool_rows", "Final rows, by outcome.", labels=("outcome",))
        rows.add_metric(("ok",), snapshot["ok"])
        for failure in snapshot["failed"]:
            rows.add_metric((failure["kind"],), failure["count"])
        yield rows
        yield _counter("retries", "Attempts that failed and were retried.", snapshot["retries"])
        yield _counter("duplicates", "Duplicate URLs in the input.", snapshot["duplicates"])
        yield _counter("received_bytes", "Bytes of bodies, as received.", snapshot["size_download"])
        yield _counter("delivered_bytes", "Bytes of bodies, decoded.", snapshot["size_delivered"])
        yield _histogram(
            "request_duration_seconds",
            "Times of rows; the sum includes retried attempts.",
            snapshot["times"],
            run.time_bounds,
            snapshot["time_waiting"] + snapshot["time_receiving"],
        )
        yield _histogram(
            "delivered_size_bytes",
            "Sizes of decoded bodies in rows without an error.",
            snapshot["sizes"],
            run.size_bounds,
            snapshot["size_delivered"],
        )
        yield _gauge("in_flight_requests", "Requests in flight.", snapshot["in_flight"])
        yield _gauge(
            "waiting_requests", "Queued requests that wait for a point in time.", snapshot["delayed"]
        )
        yield _gauge("backlog_requests", "Requests that were read but have not started.", snapshot["queued"])
        yield _gauge("workers", "Maximum number of requests in flight at once.", snapshot["workers"])
        if snapshot["total"] is not None:
            yield _gauge("list_urls", "URLs in the input, exact or estimated.", snapshot["total"])
        waits = snapshot["wait_times"]
        held = CounterMetricFamily(
            "fetchpool_held_back_seconds", "Seconds that each bottleneck held the run back.", labels=("by",)
        )
        for name, seconds in waits.items():
            if name not in NOT_CAUSES:
                held.add_metric((name,), seconds)
        yield held
        yield _counter("process_cpu_seconds", "CPU seconds of the run's processes.", waits["cpu"])


def _histogram(
    name: str, text: str, counts: Sequence[int], bounds: Sequence[float], total: float
) -> HistogramMetricFamily:
    """Return a histogram of the counts in buckets; the last of them has no bound."""
    family = HistogramMetricFamily(f"fetchpool_{name}", text)
    upper = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    family.add_metric((), list(zip(upper, accumulate(counts or [0] * len(upper)), strict=True)), total)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"fetchpool_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"fetchpool_{name}", text, value=value)
