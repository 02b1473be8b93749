"""The machine: closed pipes, signals, dying workers, too few file descriptors, clock changes."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fetchpool
from tests.cli import runner
from tests.faults import ports
from tests.faults.matrix import at_once
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

waiting = at_once()


def list_of(directory: Path, *urls: str) -> None:
    (directory / "urls.txt").write_text("".join(f"{url}\n" for url in urls))


def test_44_a_reader_that_closes_standard_output_early_is_not_a_failure(
    server: FaultServer, tmp_path: Path
) -> None:
    """`| head`: the run ends quietly with exit code 0."""
    list_of(tmp_path, *(server.url(f"bytes-in-pieces?{number}") for number in range(200)))
    process = runner.start("urls.txt", "-o", "-", "-w", "4", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"url:<")
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert process.wait(runner.PATIENCE) == 0
    assert "Traceback" not in said
    assert "Broken pipe" not in said
    assert len(server.received) < 100


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@waiting
def test_45_the_first_signal_lets_requests_in_flight_complete(
    server: FaultServer, tmp_path: Path, executor: str, number: signal.Signals, code: int
) -> None:
    """No new requests start; requests in flight complete or time out, and have their rows; the exit code is
    130 (SIGINT) or 143 (SIGTERM)."""
    list_of(tmp_path, server.url("ok"), *(server.url(f"trickle?{number}") for number in range(50)))
    arguments = ("urls.txt", "-o", "-", "-w", "2", "--max-time", "1s", "--retry", "0")
    process = runner.start(*arguments, "--executor", executor, cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"url:<")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=runner.PATIENCE)
    assert process.returncode == code
    assert b"Traceback" not in stderr
    rows = stdout.decode().splitlines()
    assert 1 <= len(rows) <= 4
    assert all(row.endswith("> error:[timeout_total]") for row in rows)


@waiting
def test_45_the_second_signal_aborts_and_all_rows_are_complete(server: FaultServer, tmp_path: Path) -> None:
    """Requests in flight are aborted without a row; every row in the file is complete."""
    list_of(tmp_path, server.url("ok"), *(server.url(f"trickle?{number}") for number in range(50)))
    arguments = ("urls.txt", "-o", "-", "-o", "rows.txt", "-w", "2", "--no-progress")
    process = runner.start(*arguments, cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"url:<")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"fetchpool: finishing")  # so that the second is another one
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=runner.PATIENCE)
    assert process.returncode == 130
    assert time.monotonic() - began < 5
    assert (tmp_path / "rows.txt").read_text() == f"url:<{server.url('ok')}> size:[{len(PAGE)}]\n"


@pytest.mark.parametrize(
    "end",
    [
        signal.SIGKILL,
        pytest.param(
            signal.SIGSTOP, marks=pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells")
        ),
    ],
)
def test_46_a_worker_process_that_is_killed_or_stopped_loses_no_row_and_doubles_none(
    server: FaultServer, end: signal.Signals
) -> None:
    """Its requests run again. A stopped process (SIGSTOP) is found within three seconds on Linux, and killed,
    even if all of them are stopped at once."""
    urls = [server.url(f"bytes-in-pieces?{number}") for number in range(20)]
    others = set(multiprocessing.active_children())

    def attack() -> None:
        """While a request is being answered."""
        while len(server.received) < 8:
            time.sleep(0.01)
        workers = [child for child in multiprocessing.active_children() if child not in others]
        for worker in workers if end == signal.SIGSTOP else workers[:1]:
            assert worker.pid is not None
            os.kill(worker.pid, end)

    attacker = threading.Thread(target=attack, daemon=True)
    attacker.start()
    records = list(fetchpool.fetch(urls, executor="process", workers=3, per_host=0))
    attacker.join()
    assert sorted(record.urlnum for record in records) == list(range(20))
    assert {record.error for record in records} == {None}
    assert len(server.received) > 20, "some ran again"


@pytest.mark.parametrize("soft", [64, 256])
@waiting
def test_47_the_soft_limit_of_open_files_is_raised_at_the_start(
    server: FaultServer, tmp_path: Path, soft: int
) -> None:
    """As far as the workers need it, without a message, and every URL is fetched."""
    urls = [server.url(f"bytes-in-pieces?{number}") for number in range(60)]
    list_of(tmp_path, *urls)
    done = limited(tmp_path, soft, 4096)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 60
    assert b"reduced workers" not in done.stderr


@pytest.mark.parametrize(("executor", "limit"), [("thread", 200), ("process", 45), ("async", 60)])
@waiting
def test_47_if_it_cannot_be_raised_there_are_fewer_workers_and_a_warning(
    server: FaultServer, tmp_path: Path, executor: str, limit: int
) -> None:
    """No URL fails because of too many open files."""
    urls = [server.url(f"bytes-in-pieces?{number}") for number in range(30)]
    list_of(tmp_path, *urls)
    done = limited(tmp_path, limit, limit, "--executor", executor)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 30
    assert f"open-file limit is {limit}" in done.stderr.decode()


def test_47_the_warning_names_both_numbers(server: FaultServer, tmp_path: Path) -> None:
    """Of open files and of workers; and an executor for which the limit is enough."""
    list_of(tmp_path, server.url("ok"))
    done = limited(tmp_path, 36, 36)
    assert b"reduced workers from 50 to 1: open-file limit is 36" in done.stderr
    assert b"; with --executor async it is enough for 6" in done.stderr


def limited(directory: Path, soft: int, hard: int, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command with 50 workers, in a process that may have so many open files."""
    return runner.run(
        [*runner.FETCHPOOL, "urls.txt", "-o", "-", "-w", "50", "--per-host", "0", *arguments],
        capture_output=True,
        cwd=directory,
        env=runner.environment(),
        limits={resource.RLIMIT_NOFILE: (soft, hard)},
        timeout=runner.PATIENCE,
        check=False,
    )


USED_UP = """
import os, resource, sys
from fetchpool.model import urls
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.open import open_pool
from fetchpool.transports.curl import address_filter

executor, transport, url, free, judged = sys.argv[1:]
if judged:  # sockets are opened by ourselves then; this one is to be had
    address_filter.address_is_public = lambda address: True
pool = open_pool(executor, 1, FetchOptions(transport=transport, public_only=bool(judged)))
print(pool.submit(urls.request(0, url)).result().error)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    for descriptor in held[: int(free)]:
        os.close(descriptor)
    outcome = pool.submit(urls.request(1, url)).result()
print(outcome.error, outcome.errormsg)
pool.shutdown()
"""


@pytest.mark.parametrize(
    ("way", "free", "judged"),
    [
        (("thread", "curl"), 0, ""),
        (("thread", "curl"), 0, "judged"),
        (("thread", "curl"), 1, "judged"),  # a connection takes two for a moment
        (("thread", "requests"), 0, ""),
        (("async", "curl"), 0, ""),
        (("async", "curl"), 0, "judged"),
        (("async", "curl"), 1, "judged"),
    ],
)
def test_47_without_file_descriptors_the_row_says_so_and_blames_no_host(
    tmp_path: Path, way: tuple[str, str], free: int, judged: str
) -> None:
    """`internal`, with the fix: the host has not refused a connection."""
    with ports.refused() as port:
        done = runner.run(
            [sys.executable, "-c", USED_UP, *way, f"http://127.0.0.1:{port}/", str(free), judged],
            capture_output=True,
            cwd=tmp_path,
            env=runner.environment(),
            timeout=runner.PATIENCE,
            text=True,
            check=True,
        )
    message = "too many open files: reduce --workers or raise ulimit -n"
    assert done.stdout.splitlines() == ["refused", f"internal {message}"]


REPLACED = """
import multiprocessing, os, resource, sys
from fetchpool.model import urls
from fetchpool.model.errors import WorkerLostError
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.open import open_pool

def fetched():
    try:
        return pool.submit(urls.request(0, sys.argv[1])).result(30).error is None
    except WorkerLostError:
        return False

pool = open_pool("process", 2, FetchOptions())
print(fetched())
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    for child in multiprocessing.active_children():
        child.kill()
    print(fetched())
    while not fetched():  # a step further each time; the fork server may need one to start again, too
        if held:
            os.close(held.pop())
print(bool(held), fetched())
pool.shutdown()
"""


def test_47_worker_processes_are_replaced_once_there_are_descriptors(
    server: FaultServer, tmp_path: Path
) -> None:
    """Requests fail if their process died while no file descriptors were left. The pool continues, and
    starts new processes as soon as it can."""
    done = runner.run(
        [sys.executable, "-c", REPLACED, server.url("ok")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # on some of the ways there the fork server itself has its say
        cwd=tmp_path,
        env=runner.environment(),
        timeout=runner.PATIENCE,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["True", "False", "True True"]


JUMPING = """
import itertools, sys, time
wall = time.time
jumps = itertools.cycle([0, 7200, -90000, 3e7, -3e7])
time.time = lambda: wall() + next(jumps)
import fetchpool
slow, endless, busy = sys.argv[2:]
rows = fetchpool.fetch(
    [slow, endless, busy], transport=sys.argv[1], max_time="1s", retry=1, retry_delay="200ms", workers=3
)
for row in sorted(rows, key=lambda row: row.urlnum):
    print(row.error, row.num_retries, row.time_total)
"""


@pytest.mark.parametrize("transport", ["curl", "requests"])
@waiting
def test_48_a_clock_that_jumps_changes_no_timing(server: FaultServer, transport: str) -> None:
    """Timeouts, delays and measured times use a monotonic clock."""
    urls = [server.url(path) for path in ("bytes-in-pieces", "trickle", "empty-at-first?jump")]
    done = runner.run(
        [sys.executable, "-c", JUMPING, transport, *urls],
        capture_output=True,
        env=runner.environment(),
        timeout=runner.PATIENCE,
        check=True,
    )
    slow, endless, again = (line.split() for line in done.stdout.decode().splitlines())
    assert slow[:2] == ["None", "0"]
    assert 0.2 < float(slow[2]) < 0.9
    assert endless[:2] == ["timeout_total", "0"]
    assert 0.9 < float(endless[2]) < 2.0
    assert again[:2] == ["None", "1"]


def test_48_the_time_of_day_is_used_for_timestamps_and_dates_only() -> None:
    """Only timestamps, and the dates in `Retry-After` and in a cookie's `Expires`, use the system clock."""
    source = Path(fetchpool.__file__).parent
    asks = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"time\.time\(|datetime\.now\(|from time import .*\btime\b", path.read_text())
    }
    assert asks <= {
        "model/timestamp.py",
        "scheduler/retry.py",
        "http/cookies.py",
        "http/cookie_store.py",
        "config/cookie_file.py",
        "cli/web_page.py",
        "web/launch.py",
    }
