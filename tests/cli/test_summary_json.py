"""`--summary json`: one object on standard error, however the run ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import fetchpool
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer


@pytest.fixture(autouse=True)
def server(tmp_path: Path) -> Iterator[FaultServer]:
    with FaultServer() as running:
        names = ("ok", "absent", "absent?2", "ok")
        (tmp_path / "urls").write_text("".join(f"{running.url(name)}\n" for name in names))
        yield running


def summary(*arguments: str, cwd: Path) -> dict[str, Any]:
    """The only line on standard error."""
    done = fetchpool(*arguments, "--summary", "json", cwd=cwd)
    (line,) = done.stderr.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert found["exit_code"] == done.returncode
    return found


def test_it_has_counts_sizes_times_outputs_and_exit_code(tmp_path: Path) -> None:
    arguments = ("urls", "-o", "rows.csv", "--save", "kept", "--retry", "0")
    found = summary(*arguments, cwd=tmp_path)
    assert (found["urls"], found["ok"], found["failed"]) == (3, 1, 2)
    assert found["by_kind"] == {"http_404": 2}
    assert found["duplicates"] == 1
    assert found["sizes"]["delivered"] == len(PAGE) + 16 + 16
    assert found["times"]["elapsed"] >= found["times"]["max"] > 0
    assert found["outputs"] == [{"path": "rows.csv", "format": "csv", "rows": 3}]
    assert found["saved"] == {"directory": "kept", "bodies": 1}
    assert found["exit_code"] == 1
    again = summary(*arguments, "--resume", cwd=tmp_path)
    assert (again["urls"], again["done_before"], again["exit_code"]) == (3, 3, 1)


def test_quiet_leaves_the_object(tmp_path: Path) -> None:
    assert summary("urls", "-q", "-o", "rows.csv", cwd=tmp_path)["failed"] == 2


def test_a_failing_output_is_reported_after_it(tmp_path: Path) -> None:
    done = fetchpool("urls", "--summary", "json", "-o", "/dev/full", cwd=tmp_path)
    line, message = done.stderr.splitlines()
    assert json.loads(line)["exit_code"] == done.returncode == 3
    assert message.startswith("fetchpool: /dev/full: No space left")


def test_another_name_is_refused(tmp_path: Path) -> None:
    done = fetchpool("urls", "--summary", "yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "fetchpool: --summary: 'yaml' is not one of text, json\n"
