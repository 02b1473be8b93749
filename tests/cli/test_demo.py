"""`fetchpool demo`, the command that new users run first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fetchpool.config.choices import LOCAL_EXECUTORS, TRANSPORTS
from tests.at_once import AtOnce
from tests.cli.runner import Terminal, fetchpool

waiting = AtOnce()


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
@waiting
def test_the_demo_needs_nothing_and_ends_well(executor: str, tmp_path: Path) -> None:
    done = fetchpool("demo", "-n", "120", "-w", "20", "--executor", executor, "-o", "rows.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "120 URLs in " in done.stderr
    assert "http_404" in done.stderr
    assert done.stderr.endswith("OK: only the 3 missing pages of the demo failed\n")
    assert len((tmp_path / "rows.txt").read_text().splitlines()) == 120


@pytest.mark.parametrize("transport", TRANSPORTS)
@waiting
def test_the_demos_rows_are_kept_where_the_summary_says(transport: str, tmp_path: Path) -> None:
    done = fetchpool("demo", "-n", "60", "-w", "20", "--transport", transport, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    place = re.search(r"60 rows to (\S+)", done.stderr)
    assert place is not None
    assert len(Path(place[1]).read_text().splitlines()) == 60
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [Path(place[1])]


@waiting
def test_the_demo_can_be_stopped(tmp_path: Path) -> None:
    with Terminal(["demo", "-n", "5000", "-w", "5", "-o", "rows.txt"], tmp_path) as terminal:
        terminal.wait_for("5 in flight")
        terminal.press("\x03")
        assert terminal.wait() == 130
        assert "interrupted after" in terminal.words
        assert "Traceback" not in terminal.words
