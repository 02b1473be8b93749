"""Programs that gevent has patched, where it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer

SCRIPT = """
import sys
from gevent import monkey
monkey.patch_all()
import fetchpool
try:
    print([record.ok for record in fetchpool.fetch(sys.argv[2:], executor=sys.argv[1])])
except fetchpool.UsageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ("thread", "[True, True]"),
        ("async", "[True, True]"),
        ("process", "executor='process': worker processes don't start in a program that gevent has patched"),
    ],
)
def test_a_patched_program_can_fetch_or_gets_the_reason(
    demo_server: DemoServer, executor: str, words: str
) -> None:
    pytest.importorskip("gevent")
    urls = [demo_server.url("/bytes/1"), demo_server.url("/bytes/2")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, executor, *urls],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.startswith(words), done.stderr
