"""The summary at the end of a run.

In: the `RunResult` and the configuration. Out: `Line`s; `str()` of one is plain text, a terminal adds colours
but no other text. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fetchpool.engine.events import Snapshot
from fetchpool.model.failures import FailureKind
from fetchpool.model.steering import AUTO
from fetchpool.model.text import escape_invisible, shown_url
from fetchpool.progress.advice import advice
from fetchpool.progress.format import (
    Line,
    Span,
    Style,
    count,
    counted,
    duration,
    line,
    rate,
    shortened,
    size,
    total,
)

if TYPE_CHECKING:  # loaded by the caller already
    from fetchpool.config.run_config import RunConfig
    from fetchpool.engine.crawl import CrawlResult
    from fetchpool.engine.engine import RunResult

PAUSE_SHOWN = 0.5
"""Seconds of pauses from which the summary has a line about them."""
KINDS_SHOWN = 12
"""Maximum number of failure kinds with a line each: there are rarely more, and a screen has 24 lines."""
DNS_KINDS = frozenset(kind for kind in FailureKind if kind.is_dns)
LABEL_WIDTH = 9
"""Width of the longest label with the gap after it."""


def summary(
    result: RunResult,
    config: RunConfig,
    *,
    resume: str = "",
    again: str = "",
    saved: int = 0,
    changes: Mapping[str, int] | None = None,
) -> list[Line]:
    """Return the lines of the summary.

    `resume`: how to continue an interrupted run; `again`: how to retry failures; each is empty if that is not
    possible. `saved`: the number of rows with a saved body. `changes`: counts of new, changed and unchanged
    URLs since an earlier run.
    """
    snapshot, interrupted = result.snapshot, result.interrupted
    if not snapshot.done and not interrupted:
        return [line(Span("nothing to fetch: the input contains no URLs", Style.STRONG))]
    fetched = snapshot.done - snapshot.done_before
    lines = [headline(result)]
    if fetched:
        lines += [_rates(snapshot, fetched), *_sizes(snapshot, fetched), *_times(snapshot, fetched)]
    if snapshot.wait_times.paused >= PAUSE_SHOWN:
        lines.append(_labelled("paused", duration(snapshot.wait_times.paused)))
    if changes is not None:
        counts = ", ".join(f"{count(number)} {what}" for what, number in changes.items())
        lines.append(_labelled("since", counts))
    lines += _failures(snapshot)
    if snapshot.retries:
        lines.append(_labelled("retried", counted(snapshot.retries, "attempt")))
    if snapshot.workers_lost:
        fetches = counted(snapshot.attempts_lost, "fetch", "fetches")
        lines.append(_labelled("lost", f"{counted(snapshot.workers_lost, 'worker')}; {fetches} restarted"))
    if result.crawl is not None:
        lines += _links(result.crawl)
    if snapshot.duplicates:
        lines.append(_labelled("skipped", counted(snapshot.duplicates, "duplicate")))
    if config.outputs:
        lines.append(_labelled("wrote", _rows(result, config)))
    if config.fetch.save:
        directory = escape_invisible(config.fetch.save)
        how = "" if config.fetch.save_as else " (deduplicated)"
        lines.append(_labelled("saved", f"{counted(saved, 'body', 'bodies')} to {directory}{how}"))
    if not interrupted and fetched and _all_lookups_failed(snapshot):
        hint = Span("-x", Style.HINT)
        return [*lines, line("all DNS lookups failed: check the network, or set a proxy with ", hint)]
    limited_by = [] if is_changed(config, snapshot) else advice(snapshot, config, aborted=result.aborted)
    if limited_by and (fetched or interrupted):
        lines.append(line(Span("bottleneck: ", Style.QUIET), *limited_by))
    if interrupted and resume:
        if result.stopped_by == "--max-pages":
            resume += " and a larger --max-pages" if "--resume" in resume else ", with a larger --max-pages"
        lines.append(line("to continue: ", Span(resume, Style.HINT)))
    elif again and any(kind.kind != FailureKind.INVALID_URL for kind in snapshot.failed):
        lines.append(line("to retry the failures: ", Span(again, Style.HINT)))
    return lines


def _rows(result: RunResult, config: RunConfig) -> str:
    names = ["standard output" if output.path == "-" else output.path for output in config.outputs]
    return ", ".join(
        f"{counted(number, 'row')} to {escape_invisible(name)}"
        for name, number in zip(names, result.rows, strict=True)
    )


def _links(crawl: CrawlResult) -> list[Line]:
    """Return the number of links that were not followed, by reason."""
    counts = {**crawl.not_followed, **({"robots": crawl.disallowed} if crawl.disallowed else {})}
    if not counts:
        return []
    ranked = sorted(counts.items(), key=lambda each: -each[1])
    text = ", ".join(f"{count(number)} {reason}" for reason, number in ranked)
    return [_labelled("links", f"not followed: {text}")]


def _all_lookups_failed(snapshot: Snapshot) -> bool:
    """Whether every URL failed in DNS. A single misspelled host does not count."""
    return not snapshot.ok and all(kind.kind in DNS_KINDS for kind in snapshot.failed)


def is_changed(config: RunConfig, snapshot: Snapshot) -> bool:
    """Whether commands have changed the settings of the run, so that its times are for mixed settings."""
    settings = snapshot.settings
    if settings is None:
        return False
    is_same = settings.workers == (AUTO if config.auto_workers else config.workers)
    return not (is_same and settings.rate == config.rate and settings.per_host == config.per_host)


def _stopped(result: RunResult) -> str:
    """Return how a run was stopped: `stopped by --max-runtime`, `stopped from the web page`."""
    if result.lost:
        return "the cluster was lost"
    if result.stopped_by:
        return f"stopped by {result.stopped_by}"
    if result.steered_by:
        return f"{'aborted' if result.aborted else 'stopped'} {result.steered_by}"
    return "interrupted"


def headline(result: RunResult) -> Line:
    """Return how the run ended: `4 URLs in 1 s: 3 ok, 1 failed`."""
    snapshot, interrupted = result.snapshot, result.interrupted
    done, ok = snapshot.done, snapshot.ok
    failed = done - ok
    urls = Span(counted(done, "URL"), Style.STRONG)
    after = duration(snapshot.elapsed)
    before = f" ({_done_before(snapshot)})" if snapshot.done_before else ""
    if interrupted:
        head: list[Span | str] = [
            Span(_stopped(result), Style.BAD),
            f" after {after}: ",
            urls,
            f"{before} done",
        ]
    else:
        head = [urls, f"{before} in {after}"]
    if not done:
        return line(*head, _not_fetched(snapshot))
    if not failed:
        parts: list[Span | str] = [Span("ok" if done == 1 else "all ok", Style.GOOD)]
    elif not ok:
        parts = [Span("failed" if done == 1 else "all failed", Style.BAD)]
    else:
        parts = [Span(f"{count(ok)} ok", Style.GOOD), ", ", Span(f"{count(failed)} failed", Style.BAD)]
    if interrupted:
        return line(*head, " (", *parts, ")", _not_fetched(snapshot))
    return line(*head, ": ", *parts)


def _done_before(snapshot: Snapshot) -> str:
    """Return the number of URLs that were done before a resumed run."""
    which = "all" if snapshot.done_before == snapshot.done else count(snapshot.done_before)
    return f"{which} by earlier runs"


def _not_fetched(snapshot: Snapshot) -> str:
    """Return the number of URLs that an interrupted run did not fetch, as exactly as the length of the input
    is known."""
    if snapshot.total is not None:
        left = max(snapshot.total - snapshot.done, 0)
        if left or snapshot.total_exact:
            return f", {total(left, snapshot.total_exact)} not fetched"
    return ", the rest of the input not fetched"


def _rates(snapshot: Snapshot, fetched: int) -> Line:
    seconds = snapshot.elapsed - snapshot.time_paused
    if seconds <= 0:
        return _labelled("rate", "too short to measure")
    urls = rate(fetched / seconds)
    octets = size(snapshot.size_delivered / seconds)
    return _labelled("rate", f"{urls} {'URL' if urls == '1' else 'URLs'}/s, {octets}/s")


def _sizes(snapshot: Snapshot, fetched: int) -> list[Line]:
    text = size(snapshot.size_delivered)
    if snapshot.size_download != snapshot.size_delivered:
        text += f" ({size(snapshot.size_download)} on the wire)"
    if min(snapshot.ok, fetched) > 1 and snapshot.size_max:
        text += f"; p50 {size(snapshot.size_p50)}, largest {size(snapshot.size_max)}"
    return [_labelled("size", text)]


def _times(snapshot: Snapshot, fetched: int) -> list[Line]:
    if not snapshot.time_max:  # no request reached the network
        return []
    spread = f"p50 {duration(snapshot.time_p50)}, p95 {duration(snapshot.time_p95)}, "
    longest = f"longest {duration(snapshot.time_max)}"
    return [_labelled("time", spread + longest if fetched > 1 else duration(snapshot.time_max))]


def _failures(snapshot: Snapshot) -> list[Line]:
    """Return one line per kind, the most frequent first, with an example URL."""
    shown = snapshot.failed[:KINDS_SHOWN]
    if not shown:
        return []
    digits = max(len(count(kind.count)) for kind in shown)
    letters = max(len(kind.kind) for kind in shown)
    lines = []
    for position, kind in enumerate(shown):
        label = Span(("failed" if position == 0 else "").ljust(LABEL_WIDTH), Style.QUIET)
        number = Span(f"{count(kind.count):>{digits}} {kind.kind:<{letters}}", Style.BAD)
        example = shortened(shown_url(kind.example))  # the row has the full URL
        lines.append(line(label, number, f"  {example}" if kind.count == 1 else f"  e.g. {example}"))
    if rest := snapshot.failed[KINDS_SHOWN:]:
        others = f"{count(sum(kind.count for kind in rest))} of {counted(len(rest), 'other kind')}"
        lines.append(_labelled("", others))
    return lines


def _labelled(label: str, text: str) -> Line:
    return line(Span(label.ljust(LABEL_WIDTH), Style.QUIET), text)
