"""The limit of open files, and the size of the table of descriptors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.at_once import AtOnce
from tests.cli import runner

TABLE_SIZES = """
import os
from fetchpool.config import machine

def table():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("FDSize"))

before, opened = table(), os.listdir("/proc/self/fd")
workers = machine.workers_within_limit(2 * before, "async", "curl").workers
print(workers, before, table(), os.listdir("/proc/self/fd") == opened)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the size of the table")
def test_the_kernels_table_is_made_long_enough_at_once_and_nothing_stays_open() -> None:
    done = runner.run([sys.executable, "-c", TABLE_SIZES], capture_output=True, text=True, check=True)
    workers, before, after, same = done.stdout.split()
    assert int(before) < int(workers) <= int(after)
    assert same == "True"


FEW = """
import resource, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import fetchpool
from fetchpool.config import machine

class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *_): pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128  # connections beyond it would wait for a second attempt, seconds later

if __name__ == "__main__":
    if sys.argv[1] == "server":
        server = Server(("", 0), Page)
        print(server.server_port, flush=True)
        server.serve_forever()
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
    urls = [f"http://127.0.0.{n % 20 + 1}:{sys.argv[2]}/{n}" for n in range(300)]
    executor, transport = sys.argv[1], sys.argv[3]
    print(machine.workers_within_limit(50, executor, transport).workers, machine.lookups(256))
    rows = fetchpool.fetch(urls, workers=50, executor=executor, transport=transport, per_host=0)
    print({row.error for row in rows})
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The program's file, and the port of a server in a process of its own."""
    file = tmp_path_factory.mktemp("few") / "few.py"
    file.write_text(FEW)
    with subprocess.Popen([sys.executable, str(file), "server"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield file, server.stdout.readline().strip()
        finally:
            server.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("executor", "transport", "workers"),
    [("thread", "curl", 12), ("thread", "requests", 50), ("process", "curl", 50), ("async", "curl", 50)],
)
@AtOnce()
def test_a_low_limit_costs_workers_and_no_url(
    executor: str, transport: str, workers: int, few: tuple[Path, str]
) -> None:
    file, port = few
    done = subprocess.run(
        [sys.executable, str(file), executor, port, transport],
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [f"{workers} 5", "{None}"], done.stderr


CEILINGS = """
import resource
from msgspec.structs import replace
from fetchpool.config.ceiling import with_ceiling
from fetchpool.config.configure import configure

config = configure(["urls.txt"], workers=10)
print(with_ceiling(config).ceiling, with_ceiling(replace(config, max_workers=40)).ceiling)
for limit in (1024, 200):
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    print(with_ceiling(config).ceiling)
"""


def test_the_ceiling_of_a_run_that_can_be_steered_allows_for_kept_connections() -> None:
    done = runner.run([sys.executable, "-c", CEILINGS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1000", "40", "96", "10"]
