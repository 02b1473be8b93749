"""Politeness: limits and requested delays are respected, as measured at the server, while no worker waits. A
host is a name or address without its port; each server in these tests is a different host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import pytest

from tests.cli import runner
from tests.faults import ports
from tests.faults.matrix import ASYNC, CURL, REQUESTS, Way, at_once, fetch_urls, over_each_transport
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

EARLY = 0.06
"""Seconds by which two requests may come closer together than they were sent."""
PIECES = 0.25
"""Seconds that `bytes-in-decode` takes at least."""


@contextmanager
def opened() -> Iterator[list[FaultServer]]:
    """Servers at 127.0.0.1 to 127.0.0.8."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultServer(host=f"127.0.0.{number}")) for number in range(1, 9)]


waiting = at_once(hosts=opened)
short = at_once(hosts=opened)
"""Those of two seconds, which others would disturb."""


@pytest.fixture
def hosts() -> Iterator[list[FaultServer]]:
    with opened() as servers:
        yield servers


def arrivals(*servers: FaultServer) -> list[float]:
    """When requests came, in order."""
    return sorted(request.at for server in servers for request in server.received)


def gaps(server: FaultServer) -> list[float]:
    """Seconds between one request and the next."""
    return [after - before for before, after in pairwise(arrivals(server))]


def assert_paced(times: Sequence[float], spacing: float) -> None:
    """None comes before its turn, the first ones included; and none much later."""
    for place, at in enumerate(times):
        assert at - times[0] > place * spacing - EARLY
    assert times[-1] - times[0] < (len(times) - 1) * spacing + 1.5


@over_each_transport
@short
def test_49_a_throttled_host_backs_off_and_no_worker_sleeps(hosts: list[FaultServer], way: Way) -> None:
    """429 or 503 with `Retry-After` in seconds, as a date, negative, huge (capped by `--retry-after-max`) or
    invalid (like none: a growing delay): the *host* gets no request for that long, and even a single
    worker continues with the other hosts."""
    asked = ["429,1", "503,1", "429,date", "503,-5", "429,99999999999", "429,soon", "503,"]
    at_least = [1.0, 1.0, 1.0, 0.0, 1.2, 0.1, 0.1]
    at_most = [1.9, 1.9, 3.0, 0.9, 2.1, 0.9, 0.9]
    *busy_hosts, idle = hosts
    urls = [host.url(f"busy?{response},{way}") for host, response in zip(busy_hosts, asked, strict=True)]
    urls += [host.url(f"ok?{number}") for host in busy_hosts for number in range(2)]
    urls += [idle.url(f"ok?{number}") for number in range(10)]
    records = fetch_urls(way, urls, workers=1, retry=1, retry_delay=0, retry_after_max="1200ms")
    assert [record.error for record in records] == [None] * len(urls)
    assert [record.num_retries for record in records] == [1] * 7 + [0] * 24
    for response, host, least, most in zip(asked, busy_hosts, at_least, at_most, strict=True):
        assert least - EARLY < gaps(host)[0] < most, response
    waits = [arrivals(host)[1] for host, least in zip(busy_hosts, at_least, strict=True) if least >= 1.0]
    assert arrivals(idle)[-1] < min(waits), "no request of the idle host waited for the busy ones"


@pytest.mark.parametrize("way", [CURL], ids=str)
@waiting
def test_49_with_retry_0_the_host_backs_off_all_the_same(hosts: list[FaultServer], way: Way) -> None:
    """The rows are `http_429` and `http_503`, and the host's next URL waits for as long as the host asked."""
    first, second, *_ = hosts
    urls = [first.url("busy?429,1"), second.url("busy?503,1"), first.url("ok"), second.url("ok")]
    records = fetch_urls(way, urls, workers=1)
    assert [record.error for record in records] == ["http_429", "http_503", None, None]
    for host in (first, second):
        assert 1.0 - EARLY < gaps(host)[0] < 1.9


@pytest.mark.parametrize("way", [ASYNC], ids=str)
@waiting
def test_49_pages_that_respond_with_503_do_not_slow_their_host_down(
    hosts: list[FaultServer], way: Way
) -> None:
    """One host responds with 503 to the first attempt at each page, the other always to every second page,
    both without `Retry-After`. A lower rate would not help, so it is not kept."""
    urls = [hosts[0].url(f"busy?503,,{number}") for number in range(60)]
    urls += [hosts[1].url(f"every-second-page?{number}") for number in range(60)]
    started = monotonic()
    records = fetch_urls(way, urls, workers=10, per_host=10, retry=2)
    assert monotonic() - started < 15.0
    assert [record.error for record in records] == [None] * 60 + [None, "http_503"] * 30


@pytest.mark.parametrize("way", [CURL], ids=str)
@waiting
def test_49_an_overloaded_host_gets_as_many_requests_as_it_accepts(server: FaultServer, way: Way) -> None:
    """A host that responds with 503 past ten requests per second, without `Retry-After`, soon gets no more
    than these, and nearly all of its pages are fetched."""
    urls = [server.url(f"ten-per-second?{number}") for number in range(70)]
    records = fetch_urls(way, urls, workers=20, per_host=10, retry=2)
    assert sum(record.error is None for record in records) >= 65
    times = [at - arrivals(server)[0] for at in arrivals(server)]
    later = [at for at in times if 4.0 < at < times[-1] - 1.0]
    assert len(later) < 13 * (later[-1] - later[0])


@pytest.mark.parametrize("way", [CURL], ids=str)
@waiting
def test_49_without_the_header_the_delay_doubles(server: FaultServer, way: Way) -> None:
    """From 100 ms, twice as long after each such response; meanwhile one request at a time."""
    urls = [server.url(f"always-busy?{number}") for number in range(5)]
    records = fetch_urls(way, urls, workers=1)
    assert [record.error for record in records] == ["http_429"] * 5
    for gap, spacing in zip(gaps(server), [0.1, 0.2, 0.4, 0.8], strict=True):
        assert spacing - EARLY < gap < spacing + 0.5


@pytest.mark.parametrize("way", [CURL], ids=str)
@waiting
def test_50_a_host_that_always_fails_is_abandoned(server: FaultServer, way: Way) -> None:
    """After ten failures in a row it is paused for five seconds, tried once more, and then the rest of its
    URLs end in `host_down` rows; other hosts and the timeouts of other URLs are not affected."""
    started = monotonic()
    with ports.refused() as port:
        dead = [f"http://127.0.0.9:{port}/{number}" for number in range(40)]
        live = [server.url(f"ok?{number}") for number in range(10)]
        records = fetch_urls(way, [*dead, *live], workers=4)
    took = monotonic() - started
    errors = [record.error for record in records]
    assert errors[40:] == [None] * 10
    assert set(errors[:40]) == {"refused", "host_down"}
    assert 11 <= errors.count("refused") <= 14, "those in flight with the tenth, and one probe"
    assert 5.0 < took < 8.0
    down = next(record for record in records if record.error == "host_down")
    assert (down.exitcode, down.response_code) == (7, None)
    assert down.errormsg == "skipped: host is not responding"


@pytest.mark.parametrize("way", [CURL], ids=str)
@waiting
def test_50_urls_attempted_before_keep_their_last_error(way: Way) -> None:
    """`host_down` means that a URL was not attempted. One that was waiting for a retry keeps the error of its
    attempt."""
    with ports.refused() as port:
        dead = [f"http://127.0.0.10:{port}/{number}" for number in range(40)]
        records = fetch_urls(way, dead, workers=20, retry=3, retry_delay="10ms")
    tried = [record for record in records if record.error == "refused"]
    untried = [record for record in records if record.error == "host_down"]
    assert len(tried) + len(untried) == 40
    assert len(tried) >= 10
    assert {record.num_retries for record in untried} == {0}
    assert {record.errormsg for record in tried} == {"connection refused"}


@over_each_transport
def test_51_per_host_host_delay_and_rate_are_never_exceeded(hosts: list[FaultServer], way: Way) -> None:
    """Measured at the server: `--per-host 2` never has three requests at once, `--host-delay` separates any
    two starts, `--rate` spaces the requests to all hosts evenly from the first one on."""
    first, second, third, *_ = hosts
    urls = [host.url(f"bytes-in-pieces?{number}") for host in (first, second) for number in range(6)]
    fetch_urls(way, urls, workers=12, per_host=2)
    for host in (first, second):
        times = arrivals(host)
        assert all(at - times[place] > PIECES - EARLY for place, at in enumerate(times[2:]))
        host.received.clear()
    fetch_urls(
        way, [host.url(f"ok?{n}") for host in hosts[:3] for n in range(6)], workers=18, host_delay="150ms"
    )
    for host in (first, second, third):
        assert_paced(arrivals(host), 0.15)
        host.received.clear()
    fetch_urls(way, urls, workers=18, rate="20/s")
    assert_paced(arrivals(first, second, third), 0.05)


@pytest.mark.parametrize("way", [CURL, REQUESTS, ASYNC], ids=str)
@short
def test_52_a_list_sorted_by_host_starves_no_other_host(hosts: list[FaultServer], way: Way) -> None:
    """Hosts take turns: a slow one with many URLs at the top of the list uses at most its share of the
    workers, and the following hosts are fetched immediately."""
    slow, *others = hosts
    urls = [slow.url(f"bytes-in-pieces?{number}") for number in range(16)]
    urls += [host.url(f"ok?{number}") for host in others for number in range(5)]
    fetch_urls(way, urls, workers=4, per_host=2)
    assert arrivals(*others)[-1] < arrivals(slow)[8]


@pytest.mark.parametrize("way", [CURL, ASYNC], ids=str)
def test_52_a_list_sorted_by_host_is_spread_over_its_hosts(
    hosts: list[FaultServer], way: Way, tmp_path: Path
) -> None:
    """Lines are read ahead while workers are busy, so that each of five hosts with 30 URLs receives at least
    six of the first 60 requests."""
    several = hosts[:5]
    urls = tmp_path / "urls.txt"
    urls.write_text("".join(host.url(f"ok?{number}") + "\n" for host in several for number in range(30)))
    result = runner.fetchpool(str(urls), "-w", "5", "--executor", way.executor, cwd=tmp_path)
    assert result.returncode == 0
    sixtieth = arrivals(*several)[59]
    assert all(sum(at <= sixtieth for at in arrivals(host)) >= 6 for host in several)


@over_each_transport
@short
def test_53_robots_txt_is_fetched_once_per_host_and_obeyed(hosts: list[FaultServer], way: Way) -> None:
    """With `--robots`: requested once, before the host's first URL, with the real user agent; disallowed URLs
    end in `robots` rows and are not sent, not even after a redirect; `Crawl-delay` is respected. A 404 allows
    everything, a 5xx nothing (RFC 9309), a redirect is followed. Without the option it is not requested."""
    strict, silent, failing, moved, *_ = hosts
    urls = [host.url(path) for host in hosts[:4] for path in ("ok", "capture", "ok?1", "ok?2")]
    urls += [strict.url(f"redirect-to?{target}") for target in ("%2Fcapture", "%2Fok%3F3")]
    urls += [silent.url(f"redirect-to?{quote(strict.url('capture'), safe='')}")]
    records = fetch_urls(way, urls, workers=4, robots=True)
    ruled = [None, "robots", None, None]
    redirected = ["robots", None, "robots"]
    errors = [record.error for record in records]
    assert errors == [*ruled, *[None] * 4, *["robots"] * 4, *ruled, *redirected]
    for host in hosts[:4]:
        asked = [request for request in host.received if request.scenario == "robots.txt"]
        assert len(asked) == 1
        assert host.received[0] is asked[0]
        assert asked[0].headers()["user-agent"].startswith("fetchpool/")
    for host in (strict, moved):
        assert all(request.scenario != "capture" for request in host.received)
    assert [request.scenario for request in failing.received] == ["robots.txt"]
    assert {record.size_delivered for record in records if record.error is None} == {len(PAGE), 8}
    assert_paced([request.at for request in strict.received if request.scenario != "robots.txt"], 0.2)
    fetch_urls(way, [silent.url("ok?3")])
    assert silent.received[-1].target == "/ok?3"
    assert sum(request.scenario == "robots.txt" for request in silent.received) == 1
