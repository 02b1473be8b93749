"""The cluster pool over a cluster in this process: workers that die, leave, join, stop, and none at all."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import trustme
from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.errors import PoolClosedError, UsageError, WorkerLostError
from fetchpool.pools.cluster import host, lease, modules
from fetchpool.pools.cluster.arguments import NOT_SHARED, TOKEN, Packer, unpack, version_of
from fetchpool.pools.cluster.pool import CHECK, ClusterPool
from fetchpool.pools.cluster.shares import divide
from fetchpool.pools.wakeup import Wakeup, poll_wakeup
from tests.at_once import AtOnce
from tests.contracts.fake_cluster import FakeCluster
from tests.contracts.gauged import PATIENCE, GaugedServer, ended, serving, submit


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@contextmanager
def opening_pools() -> Iterator[Any]:
    opened: list[ClusterPool] = []

    def open_pool(
        cluster: FakeCluster, workers: int = 4, wait: float = PATIENCE, **options: Any
    ) -> ClusterPool:
        opened.append(ClusterPool(workers, FetchOptions(**options), cluster, wait=wait))
        return opened[-1]

    try:
        yield open_pool
    finally:
        for pool in opened:
            pool.shutdown(abort=True)


@pytest.fixture
def pools() -> Iterator[Any]:
    with opening_pools() as open_pool:
        yield open_pool


waiting = AtOnce(
    cluster=lambda: nullcontext(FakeCluster()),
    pools=opening_pools,
    server=lambda: serving(GaugedServer()),
)


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held_by(pool: ClusterPool) -> list[int]:
    return [len(station.held) for station in pool._stations.opened]


def test_a_pool_opens_as_soon_as_its_workers_answer(cluster: FakeCluster) -> None:
    """And not half a second later, when it would look by itself."""
    waits: list[float] = []

    def poll(wakeup: Wakeup, timeout: float) -> None:
        waits.append(timeout if wakeup.waiting else CHECK)  # nothing ends the wait of one that is not waiting
        poll_wakeup(wakeup, timeout)

    pool = ClusterPool(2, FetchOptions(), cluster, wait=PATIENCE, poll=poll)
    pool.shutdown()
    assert waits[0] == 0.0


def test_a_worker_that_dies_costs_what_it_had_started(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 8)
    futures = submit(pool, server, *(f"/held?{number}" for number in range(8)))
    server.wait_until_held(8)
    lost = min(held_by(pool))
    address = pool._stations.opened[held_by(pool).index(lost)].worker.address
    cluster.kill(address)
    until(lambda: sum(future.done() for future in futures) == lost)
    server.release.set()
    assert Counter(ended(futures)) == {"lost": lost, "fetched": 8 - lost}
    error = next(future.exception() for future in futures if future.exception() is not None)
    assert isinstance(error, WorkerLostError)
    assert error.worker == f"worker {address}"
    assert ended(submit(pool, server, *["/x"] * 20)) == ["fetched"] * 20


def test_what_a_worker_had_not_received_when_it_died_is_not_lost(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 4)
    address = pool._stations.opened[0].worker.address
    cluster.stop(address)
    futures = submit(pool, server, *(f"/{number}" for number in range(4)))
    until(lambda: held_by(pool) == [2, 0])
    cluster.kill(address)
    assert ended(futures) == ["fetched"] * 4
    assert len(server.asked) == 4


def test_what_two_workers_did_not_confirm_before_they_died_is_lost(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    """A page may kill its worker before the request is confirmed: it must not kill all of them."""
    pool = pools(cluster, 4)
    first, second = (station.worker.address for station in pool._stations.opened)
    cluster.stop(first)
    cluster.stop(second)
    futures = submit(pool, server, *(f"/{number}" for number in range(4)))
    until(lambda: held_by(pool) == [2, 2])
    cluster.kill(first)
    until(lambda: held_by(pool) == [4])
    cluster.kill(second)
    until(lambda: sum(future.done() for future in futures) == 2)
    cluster.join()
    assert Counter(ended(futures)) == {"lost": 2, "fetched": 2}


def test_the_cpu_time_of_all_workers_is_counted_also_of_those_that_have_died(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 4)
    assert ended(submit(pool, server, *["/x"] * 60)) == ["fetched"] * 60
    seconds, cpu = pool.stations_cpu()
    assert seconds > 0
    assert cpu > 0
    for worker in cluster.workers():
        cluster.kill(worker.address)
    until(lambda: pool.workers == 0)
    after = pool.stations_cpu()
    assert after[0] >= seconds
    assert after[1] >= cpu


def test_a_worker_that_leaves_as_planned_loses_nothing(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    """What it was fetching is cancelled: the engine schedules it again, and counts no crash."""
    pool = pools(cluster, 4)
    futures = submit(pool, server, *["/held"] * 4)
    server.wait_until_held(4)
    cluster.kill(pool._stations.opened[0].worker.address, planned=True)
    until(lambda: pool.workers == 1)
    server.release.set()
    assert set(ended(futures)) == {"cancelled", "fetched"}


def test_a_worker_that_joins_takes_its_share_and_no_more_run_at_once(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 6)
    first = submit(pool, server, *(f"/held?{number}" for number in range(6)))
    server.wait_until_held(6)
    cluster.join()
    until(lambda: pool.workers == 3)
    more = submit(pool, server, *(f"/held?{number}" for number in range(6, 18)))
    server.release.set()
    assert ended([*first, *more]) == ["fetched"] * 18
    assert server.most == 6
    until(lambda: [station.places for station in pool._stations.opened] == [2, 2, 2])


@waiting
def test_the_last_worker_that_dies_leaves_requests_waiting_for_the_next(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 4)
    notices: list[str] = []
    pool.notify = notices.append
    for worker in cluster.workers():
        cluster.kill(worker.address)
    futures = submit(pool, server, *["/x"] * 10)
    until(lambda: notices)
    assert "waiting for workers" in notices[0]
    assert cluster.wishes == 1
    cluster.join()
    assert ended(futures) == ["fetched"] * 10


@waiting
def test_a_pool_without_a_worker_is_lost_after_its_wait(pools: Any, server: GaugedServer) -> None:
    pool = pools(FakeCluster(0), 4, wait=0.2)
    futures = submit(pool, server, "/x")
    assert ended(futures) == ["lost"]
    with pytest.raises(PoolClosedError, match="--cluster-wait"):
        until(lambda: submit(pool, server, "/x") is None)


def test_the_caller_is_notified_once_when_the_cluster_is_lost(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 4)
    reasons: list[str] = []
    pool.on_lost = reasons.append
    submit(pool, server, *["/held"] * 4)
    server.wait_until_held(4)
    cluster.lose()
    cluster.lose()
    until(lambda: reasons)
    assert reasons == ["its scheduler has ended"]


@waiting
def test_a_worker_that_is_cut_off_is_abandoned_and_starts_nothing_after_its_lease(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 4)
    station = pool._stations.opened[0]
    futures = submit(pool, server, *["/held"] * 8)
    server.wait_until_held(4)
    cut_off = cluster.stations[station.name]
    cluster.stop(station.worker.address)
    cut_off._lease._ends = float("-inf")  # as if it had waited
    assert cut_off.ended.wait(PATIENCE)
    assert station in pool._stations.opened
    station.reported_at = float("-inf")
    until(lambda: station not in pool._stations.opened)
    server.release.set()
    assert "lost" not in ended(futures), "a worker that was cut off has not crashed"
    cluster.go_on(station.worker.address)
    assert ended(submit(pool, server, "/last")) == ["fetched"]
    assert server.asked.count("/last") == 1


def test_what_a_worker_aborts_when_its_lease_ends_is_fetched_by_another_even_if_it_can_say_so(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    """A process that was stopped, and continued before the driver has abandoned it."""
    pool = pools(cluster, 4)
    futures = submit(pool, server, *["/held"] * 4)
    server.wait_until_held(4)
    station = pool._stations.opened[0]
    cluster.stations[station.name]._lease._ends = float("-inf")
    until(lambda: station not in pool._stations.opened)
    server.release.set()
    ways = ended(futures)
    assert "lost" not in ways
    assert {future.result().error for future in futures if not future.cancelled()} == {None}


@waiting
def test_a_station_that_answers_that_it_has_ended_has_not_died(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    """Its last report may come later than that answer."""
    pool = pools(cluster, 4)
    futures = submit(pool, server, *["/held"] * 4)
    server.wait_until_held(4)
    station = pool._stations.opened[0]
    host = cluster.stations[station.name]
    host._publish = lambda _: None
    host._lease._ends = float("-inf")
    until(lambda: station not in pool._stations.opened)
    server.release.set()
    assert sorted(ended(futures)) == ["cancelled", "cancelled", "fetched", "fetched"]


def test_a_station_whose_lease_has_ended_takes_no_call() -> None:
    now = [100.0]
    leased = lease.Lease(lambda: now[0])
    leased.sending(1)
    now[0] += 10
    leased.sending(2)
    now[0] += 4
    assert leased.renew(1), "until 115"
    now[0] += 1
    assert not leased.renew(2), "a report that was sent in time, and whose answer comes too late"
    assert not leased.holds


def test_a_lease_counts_from_the_report_that_has_arrived() -> None:
    now = [100.0]
    leased = lease.Lease(lambda: now[0])
    leased.sending(1)
    now[0] += 10
    leased.sending(2)
    assert leased.renew(2)
    now[0] += 14.9
    assert leased.holds
    now[0] += 0.1
    assert not leased.holds


@waiting
def test_requests_of_a_spaced_host_keep_their_distance_over_all_workers(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 10)
    starts: list[float] = []
    lock = threading.Lock()

    def at_server(_: object) -> None:
        with lock:
            starts.append(time.monotonic())

    spaced = [replace(urls.request(number, server.url("/x")), spacing=0.1) for number in range(5)]
    began = time.monotonic()
    futures = [pool.submit(request) for request in spaced]
    for future in futures:
        future.add_done_callback(at_server)
    assert ended(futures) == ["fetched"] * 5
    assert time.monotonic() - began >= 0.4
    holders = {station.name for station in pool._stations.opened if station.last_outcome > began}
    assert len(holders) == 1


def test_a_request_that_runs_alone_does_not_stop_the_other_worker(
    cluster: FakeCluster, pools: Any, server: GaugedServer
) -> None:
    pool = pools(cluster, 4)
    (alone,) = [pool.submit(urls.request(0, server.url("/held")), alone=True)]
    server.wait_until_held(1)
    assert ended(submit(pool, server, *["/x"] * 20)) == ["fetched"] * 20
    assert not alone.done()
    server.release.set()
    assert ended([alone]) == ["fetched"]


def test_a_worker_with_another_version_is_refused_by_name(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "VERSION", "0.0.1")
    with pytest.raises(UsageError, match=r"^worker fake://0: has fetchpool 0\.0\.1, this is .*; install"):
        ClusterPool(2, FetchOptions(), cluster, wait=1)
    assert cluster.has_closed


def test_a_parser_that_a_worker_can_not_import_is_refused_by_name(cluster: FakeCluster) -> None:
    with pytest.raises(UsageError, match=r"^worker fake://0: .*no_such_module"):
        ClusterPool(2, FetchOptions(parse=("no_such_module:count",)), cluster, wait=1)


def test_the_pool_notes_that_a_worker_has_threads_it_does_not_use(pools: Any) -> None:
    pool = pools(FakeCluster(1, threads=8))
    assert list(pool._stations.notices) == [
        "worker fake://0 has 8 threads, of which one is used: start it with --nworkers 8 --nthreads 1"
    ]


@waiting
def test_names_are_looked_up_at_a_station(cluster: FakeCluster, pools: Any, server: GaugedServer) -> None:
    pool = pools(cluster, 2)
    found: Any = []
    done = threading.Event()

    def on_done(lookup: Any) -> None:
        found.append(lookup)
        done.set()

    submit(pool, server, "/x")  # starts the pool's own thread
    pool.resolver.resolve_async("localhost", on_done)
    assert done.wait(PATIENCE)
    assert "127.0.0.1" in found[0].ips or "[::1]" in found[0].ips
    done.clear()
    pool.resolver.resolve_async("no-such-name.invalid", on_done)
    assert done.wait(PATIENCE)
    assert found[1].error


@pytest.mark.parametrize(
    ("most", "limits", "parts"),
    [
        (10, [100, 100, 100], [4, 3, 3]),
        (10, [2, 100, 100], [2, 4, 4]),
        (10, [2, 3], [2, 3]),
        (2, [5, 5, 5], [1, 1, 0]),
        (10, [], []),
    ],
)
def test_the_shares_of_stations_add_up(most: int, limits: list[int], parts: list[int]) -> None:
    assert divide(most, limits) == parts


def test_a_directory_that_a_worker_does_not_see_is_refused_by_name(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    options = FetchOptions(save=str(tmp_path), save_spool=str(tmp_path))
    packer = Packer(options)
    arguments = packer.pack(1)
    (tmp_path / TOKEN).unlink()
    refused = host.StationHost(arguments, lambda _: None)
    assert refused.opening.refusal == NOT_SHARED.format(tmp_path)
    pool = ClusterPool(2, options, cluster, wait=1)
    pool.shutdown()


def test_certificates_are_files_of_the_worker_until_its_station_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, theirs = tmp_path / "ca.pem", tmp_path / "worker"
    theirs.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(theirs))
    certificate.write_text(trustme.CA().cert_pem.bytes().decode())
    packed = Packer(FetchOptions(cacert=str(certificate))).pack(3)
    _, content = version_of(packed)
    certificate.unlink()
    assert unpack(content).most == 3
    station = host.StationHost(packed, lambda _: None)
    (copy,) = theirs.glob("*/cacert")
    assert station._station._pool._options.cacert == str(copy)
    assert "CERTIFICATE" in copy.read_text()
    station.close()
    assert station.ended.wait(PATIENCE)
    until(lambda: not list(theirs.iterdir()))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a package and a module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shipped_words.py").write_text("def size(response): return {'size': len(response.text)}\n")
    package = tmp_path / "shipped_package" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("from .inner import double\n")
    (package / "__init__.py").write_text("def double(response): return {'double': 2 * len(response.text)}\n")
    (package / "words.txt").write_text("data")
    return tmp_path


def test_a_users_modules_are_sent_to_the_workers_in_each_run_as_they_are_then(
    cluster: FakeCluster, pools: Any, server: GaugedServer, here: Path
) -> None:
    parse = ("shipped_words:size", "shipped_package.inner:double")
    pool = pools(cluster, 2, parse=parse)
    (future,) = submit(pool, server, "/x")
    assert future.result(PATIENCE).extra == {"size": 10, "double": 20}
    for name in ("shipped_words", "shipped_package"):
        place = Path(sys.modules[name].__file__ or "")
        assert here not in place.parents
    assert (place.parent / "inner" / "words.txt").read_text() == "data"
    pool.shutdown()
    (here / "shipped_words.py").write_text("def size(response): return {'size': -1}\n")
    (future,) = submit(pools(FakeCluster(), 2, parse=parse), server, "/x")
    assert future.result(PATIENCE).extra == {"size": -1, "double": 20}


def test_a_package_that_is_large_is_not_sent(here: Path) -> None:
    (here / "shipped_package" / "data").write_bytes(b"x" * (modules.MOST_BYTES + 1))
    sent = modules.collect(["shipped_package:double", "shipped_words:size", "title", "json:loads"])
    assert [(each.name, bool(each.files)) for each in sent] == [
        ("shipped_package", False),
        ("shipped_words", True),
    ]
    refusal = "--parse: no module 'shipped_package.inner' in the current directory or among those installed"
    assert modules.explain(sent, refusal) == modules.TOO_LARGE.format("shipped_package", modules.MOST_FILES)
    assert modules.explain(sent, "another one") == "another one"


def test_a_parser_of_the_program_that_runs_is_refused() -> None:
    with pytest.raises(UsageError, match="write it into another module"):
        modules.collect(["__main__:count"])
