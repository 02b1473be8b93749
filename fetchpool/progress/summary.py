"""The summary at the end of a run, as lines for a person.

In: the last `Snapshot`, where the rows went, and the few settings that the advice names. Out:
`Line`s; `str()` of one is plain text, a terminal adds colours but no other words. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fetchpool.engine.events import Snapshot
from fetchpool.model.failures import FailureKind
from fetchpool.model.text import escape_invisible
from fetchpool.progress.advice import held_back
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

KINDS_SHOWN = 12
"""Kinds of failure with a line of their own: there are rarely more, and a screen has 24 lines."""
DNS_KINDS = frozenset(kind for kind in FailureKind if kind.is_dns)
LABEL_WIDTH = 9
"""Cells of the longest label and its gap."""


def report(
    snapshot: Snapshot,
    *,
    outputs: Sequence[tuple[str, int]],
    workers: int,
    executor: str,
    per_host: int | None,
    interrupted: bool,
    aborted: bool = False,
    timed_out: bool = False,
    resume: str = "",
    paced: bool = False,
    robots: bool = False,
    max_time: float | None = None,
    parses: bool = False,
    auto: bool = False,
    fd_limited: bool = False,
    kept: tuple[int, str] | None = None,
    changes: Mapping[str, int] | None = None,
) -> list[Line]:
    """The summary. `outputs`: each sink's name and how many rows it took; `per_host`: the limit of
    requests at once to one host, None without one; `aborted`: what was in flight was ended with the run;
    `timed_out`: it was `--max-runtime` that interrupted; `resume`: how an interrupted run goes on, empty when
    it can't; `paced`: starts were spaced on purpose; `robots`: hosts were asked for theirs; `max_time`:
    seconds an attempt may take; `parses`: there is a parser; `auto`: `-w auto`; `fd_limited`: open files
    allow no more workers; `kept`: how many rows have their body in which folder; `changes`: since an earlier
    result, how many URLs are what."""
    if not snapshot.done and not interrupted:
        return [line(Span("nothing to fetch: there is no URL in the input", Style.STRONG))]
    fetched = snapshot.done - snapshot.earlier
    lines = [_headline(snapshot, interrupted, timed_out)]
    if fetched:
        lines += [_rates(snapshot, fetched), *_sizes(snapshot, fetched), *_times(snapshot, fetched)]
    if changes is not None:
        lines.append(
            _labelled("since", ", ".join(f"{count(number)} {what}" for what, number in changes.items()))
        )
    lines += _failures(snapshot)
    if snapshot.retries:
        lines.append(_labelled("retried", counted(snapshot.retries, "attempt")))
    if snapshot.duplicates:
        lines.append(_labelled("skipped", counted(snapshot.duplicates, "duplicate")))
    if outputs:
        rows = ", ".join(f"{counted(number, 'row')} to {escape_invisible(name)}" for name, number in outputs)
        lines.append(_labelled("wrote", rows))
    if kept is not None:
        number, folder = kept
        lines.append(
            _labelled(
                "kept", f"{counted(number, 'body', 'bodies')} in {escape_invisible(folder)}, equal ones once"
            )
        )
    if not interrupted and fetched and _no_name_found(snapshot):
        hint = Span("-x", Style.HINT)
        return [
            *lines,
            line("no name could be looked up: is there a network, or a proxy to name with ", hint, "?"),
        ]
    advice = held_back(
        snapshot,
        workers=workers,
        executor=executor,
        per_host=per_host,
        paced=paced,
        robots=robots,
        max_time=max_time,
        parses=parses,
        aborted=aborted,
        auto=auto,
        fd_limited=fd_limited,
    )
    if advice and (fetched or interrupted):
        lines.append(line(Span("held back by: ", Style.QUIET), *advice))
    if interrupted and resume:
        lines.append(line("to go on: ", Span(resume, Style.HINT)))
    return lines


def _no_name_found(snapshot: Snapshot) -> bool:
    """Whether every URL ended there: a typing error in a list leaves others."""
    return not snapshot.ok and all(kind.kind in DNS_KINDS for kind in snapshot.failed)


def _headline(snapshot: Snapshot, interrupted: bool, timed_out: bool) -> Line:
    done, ok = snapshot.done, snapshot.ok
    failed = done - ok
    urls = Span(counted(done, "URL"), Style.STRONG)
    after = duration(snapshot.elapsed)
    before = f" ({_earlier(snapshot)})" if snapshot.earlier else ""
    if interrupted:
        how = "stopped by --max-runtime" if timed_out else "interrupted"
        head: list[Span | str] = [Span(how, Style.BAD), f" after {after}: ", urls, f"{before} done"]
    else:
        head = [urls, f"{before} in {after}"]
    if not done:
        return line(*head, _not_fetched(snapshot))
    if not failed:
        result: list[Span | str] = [Span("ok" if done == 1 else "all ok", Style.GOOD)]
    elif not ok:
        result = [Span("failed" if done == 1 else "all failed", Style.BAD)]
    else:
        result = [Span(f"{count(ok)} ok", Style.GOOD), ", ", Span(f"{count(failed)} failed", Style.BAD)]
    if interrupted:
        return line(*head, " (", *result, ")", _not_fetched(snapshot))
    return line(*head, ": ", *result)


def _earlier(snapshot: Snapshot) -> str:
    """What a resumed run did not have to do."""
    which = "all" if snapshot.earlier == snapshot.done else count(snapshot.earlier)
    return f"{which} by earlier runs"


def _not_fetched(snapshot: Snapshot) -> str:
    """What an interrupted run left undone, as exactly as the input was known."""
    if snapshot.total is not None:
        left = max(snapshot.total - snapshot.done, 0)
        if left or snapshot.total_exact:
            return f", {total(left, snapshot.total_exact)} not fetched"
    return ", the rest of the input not fetched"


def _rates(snapshot: Snapshot, fetched: int) -> Line:
    if snapshot.elapsed <= 0:
        return _labelled("rate", "too quick to say")
    urls = rate(fetched / snapshot.elapsed)
    octets = size(snapshot.size_delivered / snapshot.elapsed)
    return _labelled("rate", f"{urls} {'URL' if urls == '1' else 'URLs'}/s, {octets}/s")


def _sizes(snapshot: Snapshot, fetched: int) -> list[Line]:
    text = size(snapshot.size_delivered)
    if snapshot.size_download != snapshot.size_delivered:
        text += f" ({size(snapshot.size_download)} on the wire)"
    if min(snapshot.ok, fetched) > 1 and snapshot.size_max:
        text += f"; p50 {size(snapshot.size_p50)}, largest {size(snapshot.size_max)}"
    return [_labelled("size", text)]


def _times(snapshot: Snapshot, fetched: int) -> list[Line]:
    if not snapshot.time_max:  # nothing got as far as the network
        return []
    spread = f"p50 {duration(snapshot.time_p50)}, p95 {duration(snapshot.time_p95)}, "
    longest = f"longest {duration(snapshot.time_max)}"
    return [_labelled("time", spread + longest if fetched > 1 else duration(snapshot.time_max))]


def _failures(snapshot: Snapshot) -> list[Line]:
    """One line a kind, the most frequent first, with a URL to try."""
    shown = snapshot.failed[:KINDS_SHOWN]
    if not shown:
        return []
    digits = max(len(count(kind.count)) for kind in shown)
    letters = max(len(kind.kind) for kind in shown)
    lines = []
    for position, kind in enumerate(shown):
        label = Span(("failed" if position == 0 else "").ljust(LABEL_WIDTH), Style.QUIET)
        number = Span(f"{count(kind.count):>{digits}} {kind.kind:<{letters}}", Style.BAD)
        example = shortened(kind.example)  # the row has all of it
        lines.append(line(label, number, f"  {example}" if kind.count == 1 else f"  e.g. {example}"))
    if rest := snapshot.failed[KINDS_SHOWN:]:
        others = f"{count(sum(kind.count for kind in rest))} of {counted(len(rest), 'other kind')}"
        lines.append(_labelled("", others))
    return lines


def _labelled(label: str, text: str) -> Line:
    return line(Span(label.ljust(LABEL_WIDTH), Style.QUIET), text)
