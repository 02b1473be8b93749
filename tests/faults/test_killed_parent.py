"""The parent is killed: its worker processes end by themselves, at once, whatever they are doing."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.runner import start
from tests.faults.server import FaultServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc, pidfd_open")

MOST = 5.0
"""Seconds that a worker may outlive a killed parent."""


def descendants(parent: int) -> set[int]:
    """The processes below this one."""
    parents = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    below: set[int] = set()
    while more := {pid for pid, its in parents.items() if its in {parent, *below}} - below:
        below |= more
    return below


@pytest.mark.parametrize("scenario", ["silence", "trickle"])
@pytest.mark.parametrize("busy", [True, False])
def test_no_worker_process_outlives_a_killed_parent_by_five_seconds(
    server: FaultServer, tmp_path: Path, scenario: str, busy: bool
) -> None:
    # With nothing to do they wait for what a pipe brings, which never ends by itself.
    stdin, feed = os.pipe()
    urls = [server.url(f"{scenario if busy else 'ok'}?{number}") for number in range(3)]
    os.write(feed, "".join(f"{url}\n" for url in urls).encode())
    options = ("-", "--executor", "process", "-w", "3", "--per-host", "0", "--max-time", "60s", "-o", "rows")
    with start(*options, cwd=tmp_path, stdin=stdin) as parent:
        os.close(stdin)
        while len(server.received) < len(urls):
            assert parent.poll() is None
        workers = descendants(parent.pid)
        assert len(workers) >= 3
        ends = [os.pidfd_open(pid) for pid in workers]
        killed_at = monotonic()
        parent.send_signal(signal.SIGKILL)
        left = set(ends)
        while left and monotonic() - killed_at < MOST:
            ended, _, _ = select.select(left, [], [], MOST - (monotonic() - killed_at))
            left -= set(ended)
        assert not left, f"{len(left)} of {len(workers)} processes live on"
    os.close(feed)
    for end in ends:
        os.close(end)
