"""A host that responds with 503, simulated with the scheduler, the retry policy and a clock that is only a
number. The cause is either the page or the rate."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

import pytest
from msgspec.structs import replace

from fetchpool.model import urls
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.host import BlockReason
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from tests import factories

Server = Callable[[float, FetchRequest], bool]
"""Whether a server accepts a request at this time. Otherwise the response is a 503."""
NEVER = 1e9


class Run:
    """What a simulated run results in."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.requests: list[float] = []
        """When the server received them."""
        self.failed = 0
        """Rows with `http_503`."""

    def per_second(self, first: int) -> list[int]:
        """Return the number of requests of each full second from `first` on."""
        numbers = Counter(map(int, self.requests))
        return [numbers[second] for second in range(first, int(self.seconds))]


def simulate(server: Server, number: int, *, seed: int = 1, until: float = NEVER) -> Run:
    """Fetch so many pages with the defaults. Each response takes about 5 ms."""
    random = Random(seed)
    scheduler, retry = Scheduler(per_host=10), RetryPolicy(jitter=random.random)
    for urlnum in range(number):
        scheduler.enqueue(urls.request(urlnum, f"http://h/{urlnum}"), 0.0)
    run, now, done = Run(), 0.0, 0
    in_flight: list[tuple[float, int, float, FetchRequest, bool]] = []
    while done < number and now < until:
        while (request := scheduler.next_request(now)) is not None:
            run.requests.append(now)
            accepted = server(now, request)
            at = now + 0.0025 + 0.005 * random.random()
            heappush(in_flight, (at, len(run.requests), now, request, accepted))
        wakeup = scheduler.next_wakeup()
        now = max(now, min(in_flight[0][0] if in_flight else NEVER, NEVER if wakeup is None else wakeup))
        if in_flight and in_flight[0][0] <= now:
            _, _, started, request, accepted = heappop(in_flight)
            status = {} if accepted else {"response_code": 503, "error": "http_503"}
            outcome = factories.outcome(request, **status)
            scheduler.complete(request, now, started, outcome)
            delay = retry.delay(request, outcome, 0.0)
            if delay is None:
                done += 1
                run.failed += not accepted
            else:
                scheduler.enqueue_at(replace(request, num_retries=request.num_retries + 1), now + delay)
    run.seconds = now
    return run


# Servers that reject pages


def first_attempts(_now: float, request: FetchRequest) -> bool:
    return request.num_retries > 0


def every_second(_now: float, request: FetchRequest) -> bool:
    return request.urlnum % 2 == 0


def pages(share: float, seed: int) -> Server:
    """Always reject this share of the pages."""
    return lambda _, request: Random(f"{seed} {request.urlnum}").random() >= share


# Servers that reject requests


def window(limit: int) -> Server:
    """Accept so many requests in each second of the clock."""
    accepted: Counter[int] = Counter()

    def server(now: float, _request: FetchRequest) -> bool:
        accepted[int(now)] += 1
        return accepted[int(now)] <= limit

    return server


def sliding(limit: int, *, counts_all: bool = False) -> Server:
    """Accept so many requests in any second; with `counts_all` rejected ones count, too."""
    last: deque[float] = deque()

    def server(now: float, _request: FetchRequest) -> bool:
        while last and last[0] <= now - 1.0:
            last.popleft()
        accepted = len(last) < limit
        if accepted or counts_all:
            last.append(now)
        return accepted

    return server


def bucket(limit: float, burst: float) -> Server:
    """A token bucket, as in nginx's `limit_req`."""
    state = [burst, 0.0]

    def server(now: float, _request: FetchRequest) -> bool:
        state[0] = min(burst, state[0] + (now - state[1]) * limit)
        state[1] = now
        if state[0] < 1.0:
            return False
        state[0] -= 1.0
        return True

    return server


LIMITED = {
    "window": lambda: window(20),
    "sliding": lambda: sliding(20),
    "counting all": lambda: sliding(20, counts_all=True),
    "bucket": lambda: bucket(20, 1),
}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["first attempts", "every second page", "half", "a fifth"])
def test_pages_that_respond_with_503_do_not_slow_a_host_down(kind: str, seed: int) -> None:
    servers = {"first attempts": first_attempts, "every second page": every_second}
    server = servers.get(kind) or pages(0.5 if kind == "half" else 0.2, seed)
    assert simulate(server, 200, seed=seed).seconds < 20.0


def test_an_occasional_503_costs_next_to_nothing() -> None:
    fast = simulate(lambda *_: True, 5000).seconds
    assert simulate(pages(0.02, 1), 5000).seconds < fast + 3.5, "a second for each retry of the last page"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", LIMITED)
def test_an_overloaded_host_gets_as_many_requests_as_it_accepts(kind: str, seed: int) -> None:
    run = simulate(LIMITED[kind](), 1000, seed=seed)
    later = run.per_second(8)
    assert max(later) <= 25
    assert sum(later) / len(later) > 17, "nor much fewer"
    assert run.failed < 25, "few pages use up their retries"


@pytest.mark.parametrize("limit", [2, 5])
def test_a_slow_host_gets_few_requests_after_some_seconds(limit: int) -> None:
    later = simulate(bucket(limit, 1), 30 * limit).per_second(15)
    assert sum(later) / len(later) < 1.2 * limit


def test_a_host_that_becomes_faster_gets_more_requests() -> None:
    slow, fast = sliding(20), sliding(400)
    run = simulate(lambda now, request: (slow if now < 20 else fast)(now, request), 20_000, until=80.0)
    assert run.per_second(0)[-1] > 300


def test_a_host_that_accepts_nothing_is_asked_less_and_less_until_it_accepts_again() -> None:
    run = simulate(lambda now, _: now > 120.0, 2000)
    assert sum(at < 60.0 for at in run.requests) < 150
    assert sum(60.0 < at < 120.0 for at in run.requests) < 15
    assert run.seconds < 240.0
    assert run.failed < 50


def test_what_waits_for_the_rate_waits_for_a_backoff() -> None:
    scheduler = Scheduler(per_host=10)
    for urlnum in range(30):
        scheduler.enqueue(urls.request(urlnum, f"http://h/{urlnum}"), 0.0)
    now = 0.0
    while (request := scheduler.next_request(now)) is not None:
        outcome = factories.outcome(request, response_code=503, error="http_503")
        scheduler.complete(request, now, now, outcome)
        now += 0.2 if request.urlnum == 0 else 0.001
    assert scheduler.queued > 15
    assert scheduler.block_reason(now) is BlockReason.BACKOFF


def test_retries_and_first_attempts_take_turns() -> None:
    scheduler = Scheduler()
    for urlnum in range(8):
        request = urls.request(urlnum, f"http://h/{urlnum}")
        if urlnum < 3:
            scheduler.enqueue_at(replace(request, num_retries=1), 1.0)
        else:
            scheduler.enqueue(request, 0.0)
    order = []
    while (request_ := scheduler.next_request(2.0)) is not None:
        order.append(request_.urlnum)
    assert order == [0, 3, 1, 4, 2, 5, 6, 7]
