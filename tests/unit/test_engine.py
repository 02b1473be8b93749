"""The engine with a pool that does what the test says."""

from __future__ import annotations

from concurrent.futures import Future

from fetchpool.engine import Engine
from fetchpool.known import Known
from fetchpool.model import FetchRequest, Outcome, Record
from fetchpool.retry import RetryPolicy
from fetchpool.scheduler import Scheduler
from fetchpool.sources.iterable import IterableSource
from fetchpool.writer import Writer


class Rows:
    name = "a list"

    def __init__(self) -> None:
        self.urls: list[str] = []

    def write(self, records: list[Record]) -> None:
        self.urls += [record.url for record in records]

    def flush(self) -> None: ...

    def close(self) -> None: ...


class OneAtATime:
    """A pool that begins what it was given when it is told to recall or has nothing else to do; the first
    answer of `busy` is a 429."""

    workers = 1
    window = 5

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.recalled: list[str | None] = []
        self._queue: list[tuple[FetchRequest, Future[Outcome]]] = []

    @property
    def spare(self) -> int:
        return len(self._queue)

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._queue.append((request, future))
        return future

    def take_over(self):
        return self._work

    def _work(self, _seconds: float) -> None:
        if self._queue:
            request, future = self._queue.pop(0)
            self.begun.append(request.href)
            future.set_result(self._answer(request))

    def _answer(self, request: FetchRequest) -> Outcome:
        ok = Outcome(url_effective=request.href, method="GET", timestamp="", response_code=200)
        if request.host == "busy" and len(self.begun) == 1:
            return Outcome(
                url_effective=request.href,
                method="GET",
                timestamp="",
                response_code=429,
                error="http_429",
                retry_after="1",
            )
        return ok

    def wake(self) -> None: ...

    def recall(self, host: str | None = None) -> None:
        self.recalled.append(host)
        kept = [(request, future) for request, future in self._queue if host not in (None, request.host)]
        gone = [future for _, future in self._queue if future not in [future for _, future in kept]]
        self._queue = kept
        for future in gone:
            future.cancel()

    def shutdown(self, *, abort: bool = False) -> None: ...


def test_what_a_pool_holds_for_a_host_that_asked_to_be_left_alone_is_recalled_and_fetched_later() -> None:
    urls = [f"http://busy/{number}" for number in range(4)] + ["http://other/"]
    pool, rows = OneAtATime(), Rows()
    engine = Engine(
        IterableSource(urls),
        pool,
        Writer([rows], Known(dedupe=False)),
        scheduler=Scheduler(),
        retry=RetryPolicy(retry=0),
    )
    engine.run()
    assert pool.recalled[0] == "busy"
    # Of the five that it had been given, only the other host's is begun before the second is over.
    assert pool.begun[:2] == ["http://busy/0", "http://other/"]
    assert sorted(pool.begun) == sorted(urls)
    assert sorted(rows.urls) == sorted(urls)
