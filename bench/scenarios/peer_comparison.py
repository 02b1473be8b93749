"""fetchpool and other programs: the programs, lists and goals of each scenario."""

from __future__ import annotations

from msgspec.structs import replace

from bench.harness.figures import Goal, Round
from bench.scenarios import lists, peers
from bench.scenarios.lists import HOSTS, HOSTS_WORKERS, PER_HOST
from bench.scenarios.peers import ours
from bench.scenarios.scenario import MEGABYTE, Lane, Lists, Scenario, against
from bench.scenarios.servers import LARGE_SIZE, SMALL_SIZE

HASHING_ASYNC = ours("fetchpool async, --hash", "--executor", "async", "--hash", "sha256", module="pycurl")
HASHING_THREAD = ours("fetchpool thread, --hash", "--executor", "thread", "--hash", "sha256", module="pycurl")
POLITE_ASYNC = replace(
    peers.ASYNC,
    call=ours("", "--executor", "async", "--per-host", str(PER_HOST)).call,
)
POLITE_THREAD = replace(
    peers.THREAD,
    call=ours("", "--executor", "thread", "--per-host", str(PER_HOST)).call,
)


def cost(each: Round) -> float:
    return each.cost


SMALL = Scenario(
    "small",
    "Small files",
    "Files of 4 KB from one nginx worker on the same machine, over reused connections.",
    [
        Lane(peers.ASYNC_COMPILED, 64),
        Lane(peers.ASYNC, 64),
        Lane(peers.PROCESS_COMPILED, 64),
        Lane(peers.PROCESS, 64),
        Lane(peers.THREAD, 10),
        Lane(peers.REQUESTS, 10, 0.2),
        Lane(peers.CURL, 64),
        Lane(peers.WGET2, 64),
        Lane(peers.WRK, 64),
        Lane(peers.AIOHTTP, 64),
        Lane(peers.ARIA2, 16, 0.05),
        Lane(peers.HTTPX, 10, 0.1),
        Lane(peers.SESSION, 10, 0.1),
        Lane(peers.SCRIPT, 10, 0.1),
        Lane(peers.XARGS, 10, 0.02),
    ],
    lists.small_files,
    SMALL_SIZE,
    Lists(2_000, 12_000, 3),
    Lists(5_000, 50_000, 5),
    [
        against(peers.ASYNC.name, peers.CURL.name, 1.05),
        Goal(
            f"CPU per URL, {peers.ASYNC.name} to {peers.CURL.name}",
            lambda results: results.ratio(peers.ASYNC.name, peers.CURL.name, cost),
            1.0,
            at_most=True,
        ),
        against(peers.ASYNC_COMPILED.name, peers.CURL.name, 1.3),
        against(peers.ASYNC_COMPILED.name, peers.WGET2.name, 0.65),
        against(peers.PROCESS.name, peers.ASYNC.name, 1.3),
        against(peers.PROCESS.name, peers.WGET2.name, 0.75),
        against(peers.PROCESS_COMPILED.name, peers.WGET2.name, 0.9),
        against(peers.THREAD.name, peers.CURL.name, 0.4),
        against(peers.REQUESTS.name, peers.SESSION.name, 1.0),
        against(peers.REQUESTS.name, peers.SCRIPT.name, 1.5),
        against(peers.THREAD.name, peers.SCRIPT.name, 10),
    ],
)

LATENCY = Scenario(
    "latency",
    "100 ms away",
    "A server that responds after 100 ms, a thousand at once (curl takes 300 at most).",
    [
        Lane(peers.ASYNC, 1000),
        Lane(peers.PROCESS, 1000),
        Lane(peers.THREAD, 1000),
        Lane(peers.CURL, 1000),
        Lane(peers.WGET2, 1000),
        Lane(peers.AIOHTTP, 1000),
        Lane(peers.SESSION, 1000),
        Lane(peers.SCRIPT, 1000),
    ],
    lists.answered_after(100),
    SMALL_SIZE,
    Lists(1, 10_000, 2),
    Lists(1, 10_000, 5),
    [
        Goal(
            "share of the ideal, fetchpool async",
            lambda r: 100 * r.share_of_ideal("fetchpool async"),
            86,
            unit="%",
        ),
        Goal(
            "share of the ideal, fetchpool process",
            lambda r: 100 * r.share_of_ideal("fetchpool process"),
            90,
            unit="%",
        ),
        Goal(
            "share of the ideal, fetchpool thread",
            lambda r: 100 * r.share_of_ideal("fetchpool thread"),
            60,
            unit="%",
        ),
    ],
    ideal=lambda count: max(1, count / 1000) * 0.1,
)

WAITING = Scenario(
    "waiting",
    "Two thousand waiting requests",
    "A server that responds after 1.5 s, and 2,000 URLs at once: the memory that waiting requests take.",
    [
        Lane(peers.THREAD, 2000),
        Lane(peers.REQUESTS, 2000),
        Lane(peers.ASYNC, 2000),
        Lane(peers.SESSION, 2000),
        Lane(peers.AIOHTTP, 2000),
        Lane(peers.WGET2, 2000),
    ],
    lists.answered_after(1500),
    SMALL_SIZE,
    Lists(1, 2_000, 1),
    Lists(1, 2_000, 3),
    [
        Goal(
            "resident, fetchpool thread",
            lambda r: r.of("fetchpool thread").resident / MEGABYTE,
            150,
            at_most=True,
            unit="MB",
        ),
        Goal(
            "resident, fetchpool thread, beyond the run of one URL",
            lambda r: (r.of("fetchpool thread").resident - r.of("fetchpool thread").idle) / MEGABYTE,
            70,
            at_most=True,
            unit="MB",
        ),
    ],
    ideal=lambda _: 1.5,
    reference=peers.THREAD.name,
)

LARGE = Scenario(
    "large",
    "Large bodies",
    "Files of 10 MB from the same nginx, ten at once.",
    [
        Lane(peers.ASYNC, 10),
        Lane(peers.THREAD, 10),
        Lane(peers.PROCESS, 10),
        Lane(HASHING_ASYNC, 10),
        Lane(HASHING_THREAD, 10),
        Lane(peers.CURL, 10),
        Lane(peers.WGET2, 10),
        Lane(peers.AIOHTTP, 10),
        Lane(peers.SESSION, 10),
    ],
    lists.large_files,
    LARGE_SIZE,
    Lists(20, 200, 2),
    Lists(20, 1_000, 3),
    [
        against(peers.ASYNC.name, peers.CURL.name, 1.0),
        against(HASHING_ASYNC.name, peers.CURL.name, 0.45),
        against(peers.THREAD.name, peers.CURL.name, 0.9),
    ],
)

DIFFERENT = Scenario(
    "hosts",
    "Hosts of different speed",
    f"{HOSTS} hosts that respond after 10 to 500 ms, a list sorted by host, {HOSTS_WORKERS} at once; "
    f"fetchpool limits itself to {PER_HOST} at once per host, the others have no limit "
    "(curl takes 300 at most).",
    [
        Lane(POLITE_ASYNC, HOSTS_WORKERS),
        Lane(POLITE_THREAD, HOSTS_WORKERS),
        Lane(peers.CURL, HOSTS_WORKERS),
        Lane(peers.WGET2, HOSTS_WORKERS),
        Lane(peers.AIOHTTP, HOSTS_WORKERS),
    ],
    lists.hosts_of_different_speed,
    SMALL_SIZE,
    Lists(1, 10_000, 1),
    Lists(1, 10_000, 3),
    [
        Goal(
            "share of the ideal, fetchpool async",
            lambda r: 100 * r.share_of_ideal("fetchpool async"),
            80,
            unit="%",
        )
    ],
    ideal=lists.hosts_ideal,
)

TLS = Scenario(
    "tls",
    "TLS and HTTP/2",
    "Small files over TLS; HTTP/2 for programs that support it (all but aiohttp and requests).",
    [
        Lane(peers.ASYNC, 64),
        Lane(peers.THREAD, 10),
        Lane(peers.PROCESS, 64),
        Lane(peers.CURL, 64),
        Lane(peers.WGET2, 64),
        Lane(peers.AIOHTTP, 64),
        Lane(peers.HTTPX, 10, 0.1),
        Lane(peers.SESSION, 10, 0.1),
    ],
    lists.small_files_tls,
    SMALL_SIZE,
    Lists(2_000, 12_000, 2),
    Lists(5_000, 50_000, 5),
    tls=True,
)

WITH_PEERS = (SMALL, LATENCY, WAITING, LARGE, DIFFERENT, TLS)
