"""The rotation: hosts take turns, and those that need longest start early."""

from __future__ import annotations

from heapq import heappop, heappush

import pytest

from fetchpool.model import urls
from fetchpool.scheduler.host import HostSlot
from fetchpool.scheduler.rotation import Rotation
from fetchpool.scheduler.scheduler import Scheduler
from tests.unit.scheduler.test_scheduler import FINE

PER_HOST = 10


def slot(name: str, seconds: float, queued: int) -> HostSlot:
    made = HostSlot(name, PER_HOST)
    made.seconds = seconds
    made.queue.extend(urls.request(number, f"http://{name}/") for number in range(queued))
    return made


def test_hosts_that_need_equally_long_take_turns() -> None:
    rotation = Rotation()
    slots = [slot(f"h{number}", 0.1, 20) for number in range(50)]
    for _ in range(3):
        for each in slots:
            rotation.add(each)
        assert [rotation.take() for _ in slots] == slots


def test_a_host_that_needs_longest_has_every_second_turn() -> None:
    rotation = Rotation()
    slots = [slot(f"h{number}", 0.1, 20) for number in range(6)]
    slow = slot("slow", 2.0, 20)
    for each in slots:
        rotation.add(each)
    taken = []
    for _ in range(6):
        rotation.add(slow)
        taken += [rotation.take().host, rotation.take().host]
    assert taken == [name for number in range(6) for name in ("slow", f"h{number}")]
    rotation.add(slow)
    assert len(rotation) == 1
    assert list(rotation) == [rotation.take()]


@pytest.mark.parametrize(
    ("hosts", "workers", "most"),
    [
        ([(0.1, 300), *[(0.1, 30)] * 99], 100, 1.1),  # 1.74 if hosts only take turns
        ([(0.01 * 50 ** (number / 99), 40) for number in range(100)], 250, 1.2),  # 1.25
    ],
    ids=["a host with many URLs", "hosts of different speed"],
)
def test_a_run_ends_soon_after_its_slowest_host_could(
    hosts: list[tuple[float, int]], workers: int, most: float
) -> None:
    """Seconds for each URL, and number of URLs, by host; `most`: times the shortest possible time."""
    delays = {f"h{number}": seconds for number, (seconds, _) in enumerate(hosts)}
    names = [name for name, (_, count) in zip(delays, hosts, strict=True) for _ in range(count)]
    requests = [urls.request(number, f"http://{name}/{number}") for number, name in enumerate(names)]
    scheduler = Scheduler(per_host=PER_HOST)
    for each in requests:
        scheduler.enqueue(each, 0.0)
    now = 0.0
    running: list[tuple[float, int, float]] = []
    while scheduler.queued or running:
        while len(running) < workers and (request := scheduler.next_request(now)) is not None:
            heappush(running, (now + delays[request.host], request.urlnum, now))
        now, number, started = heappop(running)
        scheduler.complete(requests[number], now, started, FINE)
    slowest = max(seconds * count / PER_HOST for seconds, count in hosts)
    shortest = max(slowest, sum(seconds * count for seconds, count in hosts) / workers)
    assert now < most * shortest, now / shortest
