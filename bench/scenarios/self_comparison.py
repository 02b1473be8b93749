"""fetchpool compared with itself: long lists, the display, CPU-heavy parsing, `-w auto`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from bench.harness.figures import Goal, Results
from bench.scenarios import lists, peers
from bench.scenarios.lists import Servers
from bench.scenarios.peers import ours
from bench.scenarios.scenario import MEGABYTE, Lane, Lists, Scenario, against
from bench.scenarios.servers import SMALL_SIZE

NO_DEDUPE = ours("fetchpool async, --no-dedupe", "--executor", "async", "--no-dedupe", module="pycurl")
TENTH = replace(NO_DEDUPE, name="the same, a tenth of the list")
WITH_DISPLAY = ours("fetchpool async, display on", "--executor", "async", module="pycurl", terminal=True)
PARSING = ("--parse", "bench.scenarios.parsing:words")
PARSING_ASYNC = replace(peers.ASYNC, call=ours("", "--executor", "async", *PARSING).call)
PARSING_THREAD = replace(peers.THREAD, call=ours("", "--executor", "thread", *PARSING).call)
PARSING_PROCESS = replace(peers.PROCESS, call=ours("", *peers.PROCESSES, *PARSING).call)


def growth(results: Results) -> float:
    """Return the megabytes that the long list takes more than one of a hundredth."""
    return (results.of(NO_DEDUPE.name).resident - results.of(TENTH.name).idle) / MEGABYTE


def identities(results: Results) -> float:
    """Return the bytes per URL for duplicate detection."""
    ours = results.of(peers.ASYNC.name)
    return (ours.resident - results.of(NO_DEDUPE.name).resident) / ours.rounds[0].large.count


LENGTH = Scenario(
    "length",
    "Long lists",
    "Small files again, and lists up to a million URLs: the time and the memory per URL must not grow.",
    [
        Lane(TENTH, 64, 0.1),
        Lane(NO_DEDUPE, 64),
        Lane(peers.ASYNC, 64),
        Lane(peers.CURL, 64),
        Lane(peers.WGET2, 64),
    ],
    lists.small_files,
    SMALL_SIZE,
    Lists(20_000, 100_000, 1),
    Lists(100_000, 1_000_000, 3),
    [
        against(NO_DEDUPE.name, TENTH.name, 0.9),
        Goal(
            "resident, --no-dedupe, all of the list to a hundredth of it",
            growth,
            10,
            at_most=True,
            unit="MB more",
        ),
        Goal(
            "resident, with duplicates left out, to without", identities, 40, at_most=True, unit="bytes a URL"
        ),
    ],
)

DISPLAY = Scenario(
    "display",
    "The display",
    "Small files, with the live display on a terminal, and without.",
    [Lane(peers.ASYNC, 64), Lane(WITH_DISPLAY, 64)],
    lists.small_files,
    SMALL_SIZE,
    Lists(2_000, 22_000, 3),
    Lists(5_000, 105_000, 9),
    [against(WITH_DISPLAY.name, peers.ASYNC.name, 0.97)],
    reference=peers.ASYNC.name,
)

PARSE = Scenario(
    "parse",
    "CPU-heavy parsing",
    "Small files, and a `--parse` function that takes some milliseconds of CPU for each.",
    [Lane(PARSING_PROCESS, 2), Lane(PARSING_THREAD, 10), Lane(PARSING_ASYNC, 10)],
    lists.small_files,
    SMALL_SIZE,
    Lists(100, 600, 2),
    Lists(500, 3_000, 5),
    [against(peers.PROCESS.name, peers.ASYNC.name, 1.3)],
    reference=peers.ASYNC.name,
)


def finds_its_pace(
    key: str,
    title: str,
    about: str,
    urls: Callable[[Servers, int], Iterator[str]],
    workers: tuple[int, ...],
    short: Lists,
    full: Lists,
    *,
    may_fail: bool = False,
    executor: str = "async",
) -> Scenario:
    """Return a comparison of `-w auto` with fixed numbers, the best of which it must come close to. The small
    list is long enough to adapt."""
    auto = ours(f"fetchpool {executor}, -w auto", "--executor", executor, module="pycurl")
    fixed = [replace(auto, name=f"fetchpool {executor}, -w {number}") for number in workers]

    def share_of_the_best(results: Results) -> float:
        return results.of(auto.name).pace / max(results.of(each.name).pace for each in fixed)

    return Scenario(
        key,
        title,
        about,
        [Lane(auto, 0), *(Lane(peer, number) for peer, number in zip(fixed, workers, strict=True))],
        urls,
        SMALL_SIZE,
        short,
        full,
        [Goal("pace, -w auto to the best fixed number", share_of_the_best, 0.9)],
        reference=auto.name,
        may_fail=may_fail,
    )


AUTO_FAST = finds_its_pace(
    "auto-fast",
    "-w auto: a fast server",
    "Small files from nginx.",
    lists.small_files,
    (4, 16, 64, 256),
    Lists(10_000, 30_000, 1),
    Lists(20_000, 100_000, 5),
)
AUTO_FAR = finds_its_pace(
    "auto-far",
    "-w auto: 100 ms away",
    "A server that responds after 100 ms.",
    lists.answered_after(100),
    (100, 300, 600, 1000),
    Lists(10_000, 30_000, 1),
    Lists(20_000, 60_000, 3),
)
AUTO_BUSY = finds_its_pace(
    "auto-busy",
    "-w auto: a server that is soon overloaded",
    "A server that responds after 50 ms, more slowly beyond 40 requests at once, and with 503 beyond 50. "
    "Only successful fetches count.",
    lists.busy,
    (10, 20, 40, 80),
    Lists(2_000, 5_000, 1),
    Lists(5_000, 20_000, 3),
    may_fail=True,
)

AUTO_FAST_PROCESSES = finds_its_pace(
    "auto-fast-processes",
    "-w auto with processes: a fast server",
    "Small files from nginx.",
    lists.small_files,
    (16, 64, 256),
    Lists(10_000, 30_000, 1),
    Lists(20_000, 100_000, 5),
    executor="process",
)
AUTO_FAR_PROCESSES = finds_its_pace(
    "auto-far-processes",
    "-w auto with processes: 100 ms away",
    "A server that responds after 100 ms.",
    lists.answered_after(100),
    (300, 600, 1000),
    Lists(10_000, 30_000, 1),
    Lists(20_000, 60_000, 3),
    executor="process",
)

ALONE = (LENGTH, DISPLAY, PARSE, AUTO_FAST, AUTO_FAR, AUTO_BUSY, AUTO_FAST_PROCESSES, AUTO_FAR_PROCESSES)
