"""How many descriptors there may be, and the room for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROOM = """
import os
from fetchpool import descriptors

def table():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("FDSize"))

before, opened = table(), os.listdir("/proc/self/fd")
print(descriptors.fit(2 * before, "async")[0], before, table(), os.listdir("/proc/self/fd") == opened)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long its table is")
def test_the_kernels_table_is_made_long_enough_at_once_and_nothing_stays_open() -> None:
    done = subprocess.run([sys.executable, "-c", ROOM], capture_output=True, text=True, check=True)
    workers, before, after, same = done.stdout.split()
    assert int(before) < int(workers) <= int(after)
    assert same == "True"
