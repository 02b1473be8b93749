"""Programs that fork while they fetch (multiprocessing before Python 3.14, gunicorn, Celery): the child can
use fetchpool like any program, and does not affect its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

import fetchpool
from fetchpool.runtime import forks
from tests.faults.matrix import CURL, REQUESTS, Way, in_every_way, over_each_transport
from tests.faults.server import FaultServer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
SOON = 15.0
"""Seconds that a child, or an ending, may take on a busy machine."""


def in_a_child(does: Callable[[], bool]) -> int:
    """How a forked child ended: with 0 when what it does is true."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(int(SOON))  # whatever waits for ever ends here
            code = 0 if does() else 2
        except BaseException:  # noqa: BLE001 - a child that is forked never goes on with the tests
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def a_child_that_stays() -> Iterator[int]:
    """It holds what it got by the fork."""
    hears, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tells, b"!")
        signal.pause()
        os._exit(0)
    try:
        os.read(hears, 1)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(hears)
        os.close(tells)


@pytest.mark.parametrize("way", [CURL, REQUESTS], ids=str)
def test_72_a_child_can_fetch_whatever_other_threads_did_when_it_was_forked(
    server: FaultServer, way: Way
) -> None:
    """Locks that other threads held are free, and modules that they were importing can be imported."""
    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            with fetchpool.Pool(workers=4, transport=way.transport) as pool:
                for future in [pool.submit(server.url(f"ok?{number}")) for number in range(8)]:
                    future.result()

    def fetches() -> bool:
        urls = [server.url(f"ok?{number}") for number in range(3)]
        rows = fetchpool.fetch(urls, workers=2, retry=0, transport=way.transport)
        return [row.error for row in rows] == [None] * 3

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert [in_a_child(fetches) for _ in range(6)] == [0] * 6
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("way", [CURL, REQUESTS], ids=str)
def test_72_a_lock_that_is_held_in_the_parent_is_free_in_the_child(server: FaultServer, way: Way) -> None:
    """This covers every lock of every module, at the moment of the fork."""
    from fetchpool.pools import thread
    from fetchpool.pools.process import fork_server
    from fetchpool.transports import resolver, watchdog
    from fetchpool.transports.requests import dialer

    locks = [
        resolver._shared_lock,
        watchdog._shared_lock,
        thread._stack_size,
        dialer._contexts_lock,
        fork_server._starting,
    ]
    for lock in locks:
        assert lock.acquire(timeout=SOON)
    try:
        urls = [server.url("ok")]
        code = in_a_child(
            lambda: (
                not fork_server._starting.locked()
                and [row.error for row in fetchpool.fetch(urls, transport=way.transport)] == [None]
            )
        )
    finally:
        for lock in locks:
            lock.release()
    assert code == 0


@over_each_transport
def test_72_a_connection_has_no_copy_in_a_child(server: FaultServer, way: Way) -> None:
    """The peer sees the connection closed when the parent closes it, and the parent's thread sleeps: with a
    copy in the child, the kernel would keep reporting events for it."""
    with fetchpool.Pool(workers=2, executor=way.executor, transport=way.transport) as pool:
        futures = [pool.submit(server.url(f"trickle?{number}")) for number in range(2)]
        while len(server.received) < 2:
            time.sleep(0.01)
        with a_child_that_stays() as child:
            theirs = {str(each.readlink()) for each in Path(f"/proc/{child}/fd").iterdir()}
            assert not {socket for socket in theirs if is_connected(socket, server.port)}
        pool.shutdown(abort=True)
        assert all(future.done() for future in futures)


def is_connected(link: str, port: int) -> bool:
    """Whether a descriptor is a socket of ours that has been connected to that port."""
    if not link.startswith("socket:["):
        return False
    inode = link[8:-1]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()][1:]
    return any(row[9] == inode and row[2].endswith(f":{port:04X}") for row in rows)


class Held(BaseHTTPRequestHandler):
    """Answers when it may, and closes."""

    asked = threading.Semaphore(0)
    may = threading.Event()

    def do_GET(self) -> None:
        self.asked.release()
        self.may.wait(SOON)
        self.send_response(200)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_72_a_fork_leaves_an_idle_pool_idle(executor: str) -> None:
    """All responses are received, connections closed, and nothing is left to do: the pool uses no CPU."""
    Held.may.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Held) as held:
        threading.Thread(target=held.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with fetchpool.Pool(workers=4, executor=executor) as pool:
            url = f"http://127.0.0.1:{held.server_port}/"
            futures = [pool.submit(f"{url}{number}") for number in range(4)]
            for _ in futures:
                assert Held.asked.acquire(timeout=SOON)
            with a_child_that_stays():
                Held.may.set()
                assert [future.result(SOON).error for future in futures] == [None] * 4
                held.shutdown()
                before = time.process_time()
                time.sleep(0.5)  # it is what is used in a time that counts
                assert time.process_time() - before < 0.25


@in_every_way
def test_72_a_pool_belongs_to_its_parent(server: FaultServer, way: Way) -> None:
    """In a child it rejects submissions with a message, and closes at once; the parent's pool continues."""
    pool = fetchpool.Pool(workers=2, executor=way.executor, transport=way.transport)
    assert pool.submit(server.url("ok")).result(SOON).error is None

    def refused() -> bool:
        with pytest.raises(fetchpool.PoolClosedError, match="this fork"):
            pool.submit(server.url("ok"))
        pool.shutdown()
        pool.shutdown(abort=True)
        return True

    assert in_a_child(refused) == 0
    assert pool.submit(server.url("ok")).result(SOON).error is None
    pool.shutdown()


@in_every_way
def test_72_a_run_belongs_to_its_parent(server: FaultServer, way: Way) -> None:
    """In a child it ends at once with a message, also when it is dropped; the parent's run continues to its
    end."""
    urls = [server.url(f"ok?{number}") for number in range(20)]
    rows = fetchpool.fetch(urls, executor=way.executor, transport=way.transport, workers=2)
    seen = [next(rows)]

    def refused() -> bool:
        with pytest.raises(fetchpool.PoolClosedError, match="this fork"):
            list(rows)
        rows.close()
        return True

    assert in_a_child(refused) == 0
    seen += rows
    assert sorted(row.urlnum for row in seen) == list(range(20))
    assert {row.error for row in seen} == {None}


LEAVING = """
import os, signal, sys
import fetchpool

url, executor, transport, directory = sys.argv[1:]
options = {"executor": executor, "transport": transport, "workers": 2}

def how_it_ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

with fetchpool.Pool(**options) as pool:
    errors = [pool.submit(url + "/ok?0").result().error]
    in_flight = pool.submit(url + "/bytes-in-pieces?0")
    if child := os.fork():
        print(how_it_ended(child))
        errors += [in_flight.result().error, pool.submit(url + "/ok?1").result().error]
        print(errors)
    else:
        signal.alarm(15)
if not child:
    sys.exit(3)
urls = [f"{url}/ok?{number}" for number in range(100, 120)]
errors = []
for row in fetchpool.fetch(urls, save=f"{directory}/saved", warc=f"{directory}/all.warc.gz", **options):
    errors.append(row.error)
    if len(errors) == 1 and not (child := os.fork()):
        signal.alarm(15)
        break
if not child:
    sys.exit(3)
print(how_it_ended(child))
print(len(errors), set(errors))
"""


@over_each_transport
def test_72_a_child_that_exits_affects_nothing_in_its_parent(
    server: FaultServer, way: Way, tmp_path: Path
) -> None:
    """It leaves `with Pool()` or the loop, and its interpreter exits normally and at once; the connections,
    files and requests in flight are unchanged."""
    done = subprocess.run(
        # Python 3.12 and later warn of every fork of a process with threads.
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            LEAVING,
            server.url("").rstrip("/"),
            *way,
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=4 * SOON,
        check=False,
    )
    expected = ["3", "[None, None, None]", "3", "20 {None}"]
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")
    assert server.connections <= 3, "one of the pool and two of the run were kept"
    with (tmp_path / "all.warc.gz").open("rb") as archive:
        kinds = [record.rec_type for record in ArchiveIterator(archive)]
    assert kinds.count("response") == 20
    assert [each.name for each in (tmp_path / "saved").rglob("*.fetchpool*")] == []


def test_72_a_fork_keeps_no_worker_process_alive(server: FaultServer) -> None:
    """An abort ends all requests at once, even if a child was forked before."""
    pool = fetchpool.Pool(workers=2, executor="process", max_time=60)
    for number in range(4):
        pool.submit(server.url(f"trickle?{number}"))
    while len(server.received) < 2:
        time.sleep(0.01)
    with a_child_that_stays() as child:
        began = time.monotonic()
        pool.shutdown(abort=True)
        assert time.monotonic() - began < 5
        assert child


def test_72_a_child_of_a_child_is_recognized() -> None:
    """It is recognized as another process, too."""
    assert in_a_child(lambda: in_a_child(lambda: forks.generation == 2) == 0) == 0
