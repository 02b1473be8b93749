"""A simulated run: requests in flight, a server, and a client with a CPU, as events in simulated time.

In: a `Server`, a `Client`, and a fixed number or an `AutoScaler`. Out: how many URLs were fetched, and the
number's course. Deterministic for each seed.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from random import Random

from msgspec import Struct

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.scheduler.autoscale import AutoScaler
from tests.factories import with_fields

TICK = 0.02
FAILED = refusal(urls.request(0, "http://h/"), FailureKind.TIMEOUT_READ, timestamp="2026-01-01T00:00:00.000Z")
FETCHED = with_fields(FAILED, error=None, response_code=200)
UNAVAILABLE = with_fields(FAILED, error="http_503", response_code=503)


class Server(Struct, frozen=True):
    """What requests meet."""

    latency: float
    """Seconds that a response takes at least."""
    spread: float = 0.0
    """The standard deviation of the latency's logarithm."""
    capacity: float = inf
    """Responses per second; further requests wait for their turn."""
    collapse: float = inf
    """Number of requests from which on responses take longer, with the square of the number."""
    most: float = inf
    """Number of requests from which on the server responds 503 at once."""
    dead: float = 0.0
    """Share of URLs that time out."""
    timeout: float = 3.0


class Client(Struct, frozen=True):
    """What a fetch costs here."""

    cpu: float = 0.0005
    """Seconds of CPU per URL."""
    batching: float = 3.0
    """A fetch costs `1 + batching / number` times that: with few in flight none is handled together."""
    stalls: float = 0.0
    """Stalls per second, of 20 to 300 ms, while others have the CPU."""
    stalled: tuple[tuple[float, float], ...] = ()
    """Further stalls: when, and for how many seconds."""
    in_flight: int = 1 << 30
    """Another limit, such as `--per-host` or `--rate`."""
    until: float = inf
    """When it ends."""


class Run(Struct, frozen=True):
    """The result of a run."""

    fetched: int
    late: int
    """Fetched in the last two thirds of the time."""
    failed: int
    course: list[tuple[float, int]]
    """The time and the number."""


def simulate(
    server: Server,
    client: Client,
    workers: AutoScaler | int,
    seconds: float,
    seed: int = 0,
    count: int = 1 << 60,
) -> Run:
    """Run for so many seconds, or until all of `count` URLs are fetched."""
    random = Random(seed)
    scaler = workers if isinstance(workers, AutoScaler) else None
    target = workers if isinstance(workers, int) else workers.target
    now = turn = 0.0
    next_tick, stalls = TICK, stalls_of(client, seconds, seed)
    in_flight = started = fetched = late = failed = 0
    at_server: list[float] = []
    """When the requests at the server will have their responses."""
    arrivals: list[tuple[float, int, float, Outcome]] = []
    """When a response arrives, a serial number, when it was requested, and the outcome."""
    course = []
    while now < seconds and (started < count or in_flight):
        limit = client.in_flight if now < client.until else 1 << 30
        while in_flight < min(target, limit) and started < count:
            in_flight += 1
            started += 1
            while at_server and at_server[0] <= now:
                heappop(at_server)
            waiting = len(at_server)
            delay = server.latency * random.lognormvariate(0.0, server.spread)
            outcome = FETCHED
            if random.random() < server.dead:
                outcome, delay = FAILED, server.timeout
            elif waiting >= server.most:
                outcome, delay = UNAVAILABLE, server.latency / 10.0
            else:
                delay *= max(1.0, waiting / server.collapse) ** 2
                turn = max(turn, now) + 1.0 / server.capacity
                delay += turn - now
                heappush(at_server, now + delay)
            heappush(arrivals, (now + delay, started, now, outcome))
        if arrivals and arrivals[0][0] <= next_tick:
            arrived, _, began, outcome = heappop(arrivals)
            now = max(now, arrived) + client.cpu * (1.0 + client.batching / in_flight)
            while stalls and now >= stalls[-1][0]:
                now += stalls.pop()[1]
            in_flight -= 1
            fetched += outcome is FETCHED
            late += outcome is FETCHED and now > seconds / 3.0
            failed += outcome is not FETCHED
            if scaler is not None:
                scaler.record(outcome, began, now)
                target = scaler.target
        else:
            now = max(now, next_tick)
        if now >= next_tick:
            next_tick = now + TICK
            if scaler is not None:
                full = limit >= target and started < count
                scaler.update(now, target if full else in_flight)
                target = scaler.target
            course.append((now, target))
    return Run(fetched, late, failed, course)


def stalls_of(client: Client, seconds: float, seed: int) -> list[tuple[float, float]]:
    """Return the client's stalls, the last one first: the same for every number of workers."""
    random, now, stalls = Random(-seed - 1), 0.0, list(client.stalled)
    while client.stalls and now < seconds:
        now += random.expovariate(client.stalls)
        stalls.append((now, random.uniform(0.02, 0.3)))
    return sorted(stalls, reverse=True)
