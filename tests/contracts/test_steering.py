"""Steering a run, the same for every pool: what the server sees of each command, and which rows there are."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from time import monotonic
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.session import _code as exit_code
from fetchpool.config.configure import configure
from fetchpool.engine.build import build
from fetchpool.engine.engine import Engine, RunResult
from fetchpool.engine.events import Event, EventKind, Notice, Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.steering import (
    Abort,
    Command,
    Pause,
    PerHost,
    Rate,
    Resize,
    Resume,
    State,
    Stop,
)
from fetchpool.sources.iterable import IterableSource
from tests.at_once import AtOnce
from tests.contracts.gauged import GaugedServer, Handler, serving

BY = "from the web page"
CEILING = 40
WAIT = 30.0
"""Seconds until a condition counts as never met; machines may be busy."""
QUIET = 0.3
"""Seconds in which nothing starts: a run that is not paused starts a thousand requests meanwhile."""


class SteeredServer(GaugedServer):
    """`/held` answers when it has a permit, `/redirect` leads to `/quick`. Keeps the times of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = SteeredHandler  # type: ignore[assignment]
        self.permits = threading.Semaphore(0)
        self.times: list[float] = []

    def begin(self) -> None:
        """Count from now on the requests of another run."""
        with self.lock:
            self.permits = threading.Semaphore(0)
            self.asked.clear()
            self.times.clear()
            self.held = self.most = 0

    def let_go(self, number: int) -> None:
        self.permits.release(number)

    def is_quiet(self) -> bool:
        """Whether no request comes for a while."""
        with self.lock:
            count = len(self.asked)
            return not self.enough.wait_for(lambda: len(self.asked) > count, QUIET)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self.lock:
            assert self.enough.wait_for(condition, WAIT), f"{self.held} held of {len(self.asked)}"


class SteeredHandler(Handler):
    server: SteeredServer

    def do_GET(self) -> None:  # noqa: N802
        server = self.server
        with server.lock:
            permits = server.permits
            server.asked.append(self.path)
            server.times.append(monotonic())
            server.held += 1
            server.most = max(server.most, server.held)
            server.enough.notify_all()
        if self.path.startswith("/held"):
            permits.acquire(timeout=WAIT)
        with server.lock:
            server.held -= 1
            server.enough.notify_all()
        if self.path.startswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("redirect", "quick"))
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Watcher(Observer):
    """The latest snapshot of a run, and the notices about commands."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.latest: Snapshot | None = None
        self.notices: list[str] = []

    def on_event(self, event: Event) -> None:
        if isinstance(event, Notice) and event.kind is EventKind.STEERED:
            self.notices.append(event.text)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        with self.changed:
            self.latest = snapshot
            self.changed.notify_all()

    on_start = on_finish = on_snapshot

    def wait_until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        with self.changed:
            assert self.changed.wait_for(lambda: self.latest is not None and condition(self.latest), WAIT)
            assert self.latest is not None
            return self.latest

    def wait_for_state(self, state: State) -> Snapshot:
        return self.wait_until(lambda snapshot: snapshot.state is state)


class Run:
    """A run in a thread of its own, with its server."""

    def __init__(self, engine: Engine, server: SteeredServer, watcher: Watcher, *, by_steps: bool) -> None:
        """`by_steps`: as a program's run, whose pool has a thread of its own."""
        self.engine = engine
        self.by_steps = by_steps
        self.server = server
        self.watcher = watcher
        self.result: RunResult | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        if self.by_steps:
            while not self.engine.done:
                self.engine.step()
            self.engine.close()
            self.result = self.engine.result()
        else:
            self.result = self.engine.run()

    def steer(self, *commands: Command) -> None:
        for command in commands:
            self.engine.steer(command, BY)

    def end(self) -> RunResult:
        self.thread.join(WAIT)
        assert self.result is not None, "the run does not end"
        return self.result


def steered_server() -> AbstractContextManager[SteeredServer]:
    return serving(SteeredServer())


def runs(way: tuple[str, ...], server: SteeredServer, tmp_path: Path) -> Callable[..., Run]:
    """Starts runs of one kind of pool, and ends them."""
    executor, transport, *more = way

    @contextmanager
    def running(*paths: str, **given: object) -> Iterator[Run]:
        server.begin()
        if executor == "process":
            given["processes"] = 2
        out = str(tmp_path / "rows.jsonl")
        options = {"workers": 10, "per_host": 0, "retry": 0, "outputs": [out], **given}
        config = configure(executor=executor, transport=transport, **options)  # type: ignore[arg-type]
        if not config.auto_workers:
            config = replace(config, ceiling=CEILING)
        watcher = Watcher()
        source = IterableSource([server.url(path) for path in paths])
        run = Run(build(config, source=source, observers=[watcher]), server, watcher, by_steps=bool(more))
        run.thread.start()
        try:
            yield run
        finally:
            run.steer(Abort())
            server.let_go(len(paths) + CEILING)
            run.thread.join(20)
            with server.lock:
                server.enough.wait_for(lambda: server.held == 0, 15)

    return running


@pytest.fixture(
    params=[
        ("thread", "curl"),
        ("thread", "requests"),
        ("process", "curl"),
        ("async", "curl"),
        ("async", "curl", "by-steps"),
    ],
    ids="-".join,
)
def way(request: pytest.FixtureRequest) -> tuple[str, ...]:
    way: tuple[str, ...] = request.param
    return way


@pytest.fixture
def server() -> Iterator[SteeredServer]:
    with steered_server() as running:
        yield running


@pytest.fixture
def steered(way: tuple[str, ...], server: SteeredServer, tmp_path: Path) -> Callable[..., Run]:
    return runs(way, server, tmp_path)


waiting = AtOnce(
    server=steered_server,
    steered=lambda way, server, tmp_path: nullcontext(runs(way, server, tmp_path)),
)


def held(number: int) -> list[str]:
    return [f"/held/{each}" for each in range(number)]


def rows(tmp_path: Path) -> Counter[str]:
    """How many rows each path has."""
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines()
    return Counter(urlsplit(json.loads(line)["url"]).path for line in lines)


@waiting
def test_after_a_pause_nothing_starts_until_the_run_is_resumed(steered, server, tmp_path):
    # So that the pool has sent some ahead to its processes, or has some in its queue.
    paths = [*(f"/quick/{number}" for number in range(150)), *held(40)]
    with steered(*paths, workers=4) as run:
        server.wait_until(lambda: server.held == 4 and len(server.asked) == 154)
        run.steer(Pause())
        # Those that no worker has begun are back.
        shot = run.watcher.wait_until(lambda shot: shot.state is State.PAUSING and shot.queued == 36)
        assert (shot.in_flight, shot.eta) == (4, None)
        server.let_go(4)
        shot = run.watcher.wait_for_state(State.PAUSED)
        assert (shot.in_flight, shot.eta, shot.done, shot.urls_per_second) == (0, None, 154, 0.0)
        run.steer(Pause())
        assert server.is_quiet()
        assert len(server.asked) == 154
        run.steer(Resume(), Resume())
        server.let_go(36)
        result = run.end()
    assert rows(tmp_path) == dict.fromkeys(paths, 1)
    assert run.watcher.notices == [f"paused {BY}", f"resumed {BY}"]
    assert not result.interrupted
    shot = result.snapshot
    assert shot.state is State.ENDED
    assert shot.elapsed > shot.wait_times.paused >= shot.time_paused >= QUIET


def test_a_command_takes_effect_at_once_while_all_workers_wait(steered, server):
    with steered(*held(9), workers=4) as run:
        server.wait_until(lambda: server.held == 4)
        seconds = []
        for command, state in [(Pause(), State.PAUSING), (Resume(), State.RUNNING)] * 3:
            asked_at = monotonic()
            run.steer(command)
            run.watcher.wait_for_state(state)
            seconds.append(monotonic() - asked_at)
    assert median(seconds) < 0.1  # the loop turns every quarter of a second without a command


@waiting
def test_the_number_of_workers_follows_and_no_host_gets_more_than_its_limit(steered, server, tmp_path):
    with steered(*held(70)) as run:
        server.wait_until(lambda: server.held == 10)
        run.steer(Resize(2))
        shot = run.watcher.wait_until(lambda shot: shot.settings.workers == 2)
        assert (shot.workers, shot.in_flight) == (2, 10)
        server.let_go(8)
        server.wait_until(lambda: server.held == 2)
        server.most = 0
        server.let_go(6)
        server.wait_until(lambda: len(server.asked) == 16 and server.held == 2)
        assert server.most == 2
        run.steer(Resize(CEILING))
        server.wait_until(lambda: server.held == CEILING)
        run.steer(Resize(CEILING + 1))
        assert server.is_quiet()
        assert server.most == CEILING
        run.steer(PerHost(5))
        # Those that had been sent ahead, and that no worker has begun, are back.
        run.watcher.wait_until(lambda shot: shot.settings.per_host == 5 and shot.queued == 16)
        server.let_go(35)
        server.wait_until(lambda: server.held == 5)
        server.most = 0
        server.let_go(5)
        server.wait_until(lambda: len(server.asked) == 59 and server.held == 5)
        assert server.most == 5
        run.steer(PerHost(None))
        server.wait_until(lambda: len(server.asked) == 70)
        server.let_go(70)
        run.end()
    assert rows(tmp_path) == dict.fromkeys(held(70), 1)
    assert run.watcher.notices == [
        f"workers set to 2 {BY}",
        f"workers set to 40 {BY}",
        f"workers set to 40 {BY} (at most 40: --max-workers)",
        f"requests per host set to 5 {BY}",
        f"limit per host removed {BY}",
    ]


@waiting
def test_a_rate_holds_from_the_next_request_on_for_every_hop(steered, server, tmp_path):
    paths = [f"/redirect/{number}" for number in range(40)]
    with steered(*paths, paused=True) as run:
        run.watcher.wait_for_state(State.PAUSED)
        asked_at = monotonic()
        run.steer(Rate(50.0), Resume())
        server.wait_until(lambda: len(server.asked) >= 40)
        seconds = [time - asked_at for time in server.times[:40]]
        run.steer(Rate(None))
        run.end()
    assert rows(tmp_path) == dict.fromkeys(paths, 1)
    assert len(server.asked) == 80
    # No request comes before its turn, so there is no burst of what was queued either.
    assert all(each >= number / 50 - 0.001 for number, each in enumerate(seconds))
    assert run.watcher.notices == [
        "paused by --paused",
        f"rate set to 50/s {BY}",
        f"resumed {BY}",
        f"rate limit removed {BY}",
    ]


@waiting
def test_a_stop_can_be_taken_back_and_a_stopped_run_can_be_resumed(steered, server, tmp_path):
    with steered(*held(12), workers=4) as run:
        server.wait_until(lambda: server.held == 4)
        run.steer(Stop(), Stop())
        run.watcher.wait_for_state(State.STOPPING)
        run.steer(Resume())
        server.let_go(2)
        server.wait_until(lambda: len(server.asked) == 6 and server.held == 4)
        run.steer(Stop())
        run.watcher.wait_for_state(State.STOPPING)
        server.let_go(4)
        result = run.end()
    assert (result.interrupted, result.aborted, result.steered_by) == (True, False, BY)
    assert exit_code(result, None) == ExitCode.STOPPED == 5
    assert len(rows(tmp_path)) == 6
    assert run.watcher.notices == [f"stopped {BY}", f"resumed {BY}", f"stopped {BY}"]
    with steered(*held(12), resume=True) as run:
        server.let_go(12)
        assert exit_code(run.end(), None) == ExitCode.OK
    assert rows(tmp_path) == dict.fromkeys(held(12), 1)


@waiting
def test_an_abort_ends_what_is_in_flight_without_rows_also_of_a_paused_run(steered, server, tmp_path):
    with steered(*held(12), workers=4) as run:
        server.wait_until(lambda: server.held == 4)
        server.let_go(1)
        server.wait_until(lambda: len(server.asked) == 5)
        run.steer(Pause(), Abort(), Resume())
        result = run.end()
    assert (result.aborted, result.steered_by) == (True, BY)
    assert exit_code(result, None) == ExitCode.STOPPED
    assert len(rows(tmp_path)) == 1
    assert run.watcher.notices == [f"paused {BY}", f"aborted {BY}"]
