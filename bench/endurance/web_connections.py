"""Many connections to the web page: `python -m bench.endurance.web_connections`.

    python -m bench.endurance.web_connections          10,000 connections

In: the number of connections, which are opened and kept, each with an incomplete request. Out: figures, and
exit code 1 if the page has not closed those beyond its limit, does not answer meanwhile, or has grown by
more than the connections that it keeps may cost.
"""

from __future__ import annotations

import argparse
import http.client
import re
import resource
import select
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fetchpool.web.connection import Connection
from tests.web.process import TOKEN, PageProcess

MAX_CONNECTIONS = Connection.max_connections
EACH = 32_000
"""Bytes that a kept connection may cost (some 20 KB were measured); one that is closed costs none."""
START = b"GET / HTTP/1.1\r\nHost:"
PATIENCE = 60.0


class Found(NamedTuple):
    """What the page did with the connections."""

    most_open: int
    """Connections that the page kept at once, at the most."""
    answer: int
    """The status of a request after them."""
    grown: int
    """Bytes by which the page's process has grown."""


def resident(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    assert found is not None
    return int(found[1]) << 10


def status(port: int) -> int:
    """The status of a request with the token, as soon as the page answers one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/api/run", headers={"Authorization": f"Bearer {TOKEN}"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        finally:
            connection.close()


def connect(page: PageProcess, number: int) -> Found:
    """Open so many connections, and count those that the page keeps."""
    status(page.port)
    before = resident(page.process.pid)
    poll = select.poll()
    opened: dict[int, socket.socket] = {}
    most = 0
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", page.port), PATIENCE)
        opened[client.fileno()] = client
        poll.register(client, select.POLLIN | select.POLLHUP)
        with suppress(OSError):  # closed already
            client.sendall(START)
        for descriptor, _event in poll.poll(0):
            poll.unregister(descriptor)
            opened.pop(descriptor).close()
    deadline = time.monotonic() + PATIENCE
    while len(opened) > MAX_CONNECTIONS and time.monotonic() < deadline:
        for descriptor, _event in poll.poll(100):
            poll.unregister(descriptor)
            opened.pop(descriptor).close()
    most = len(opened)
    grown = resident(page.process.pid) - before
    for client in opened.values():
        client.close()
    return Found(most, status(page.port), grown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("connections", type=int, nargs="?", default=10_000)
    number = parser.parse_args().connections
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    began = time.monotonic()
    with PageProcess() as page:
        found = connect(page, number)
    sys.stdout.write(
        f"{number:,} connections in {time.monotonic() - began:.1f} s: {found.most_open} were kept, then "
        f"status {found.answer}; {found.grown / 1e6:.1f} MB more\n"
    )
    sys.exit(0 if is_fine(found) else 1)


def is_fine(found: Found) -> bool:
    """Whether the page has done as it should."""
    return found.most_open <= MAX_CONNECTIONS and found.answer == 200 and found.grown < MAX_CONNECTIONS * EACH


if __name__ == "__main__":
    main()
