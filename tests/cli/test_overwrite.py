"""`--overwrite`: outputs start anew, and are as they were when the run can't start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fetchpool.config.configure import configure
from fetchpool.model.errors import UsageError
from fetchpool.sinks.read_back import read_rows
from tests.cli.runner import fetchpool
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

FORMATS = {"rows.jsonl": "jsonl", "rows.csv": "csv", "rows.db": "sqlite", "rows.parquet": "parquet"}

OF_READERS = {"rows.db-wal", "rows.db-shm"}
"""What SQLite leaves where a database was opened for reading only."""


@pytest.fixture(autouse=True)
def url(tmp_path: Path) -> Iterator[str]:
    with FaultServer() as server:
        (tmp_path / "urls").write_text(server.url("ok"))
        yield server.url("ok")


def names_in(directory: Path) -> list[str]:
    return sorted({path.name for path in directory.iterdir()} - OF_READERS)


def count(path: Path) -> int:
    return sum(map(len, read_rows(str(path), FORMATS[path.name], ["url"])))


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_is_replaced_whatever_its_columns_are(name: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(f"{url}?1\n{url}?2\n")
    fetchpool("other", "--fields", "url,error", "-o", name, cwd=tmp_path)
    assert count(tmp_path / name) == 2
    done = fetchpool("urls", "--overwrite", "-o", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path) == sorted(["other", "urls", name])
    assert "appending" not in done.stderr
    assert count(tmp_path / name) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_is_as_before_when_the_run_cannot_start(name: str, tmp_path: Path) -> None:
    fetchpool("urls", "-o", name, cwd=tmp_path)
    done = fetchpool("urls", "--overwrite", "--parse", "absent:parser", "-o", name, cwd=tmp_path)
    assert done.returncode == 2
    assert names_in(tmp_path) == sorted(["urls", name])
    assert count(tmp_path / name) == 1


def test_a_link_still_leads_to_the_output(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text('{"other": 1}\n')
    (tmp_path / "rows.jsonl").symlink_to("real.jsonl")
    assert fetchpool("urls", "--overwrite", "-o", "rows.jsonl", cwd=tmp_path).returncode == 0
    assert (tmp_path / "rows.jsonl").is_symlink()
    assert count(tmp_path / "rows.jsonl") == 1


def test_a_directory_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").mkdir()
    (tmp_path / "rows.parquet" / "mine.txt").write_text("mine")
    done = fetchpool("urls", "--overwrite", "-o", "rows.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "rows.parquet" / "mine.txt").read_text() == "mine"


def test_standard_output_has_nothing_to_replace(url: str, tmp_path: Path) -> None:
    done = fetchpool("urls", "--overwrite", "-o", "-", "-o", "/dev/null", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"url:<{url}> size:[{len(PAGE)}]\n")


def test_a_resumed_output_is_not_replaced(tmp_path: Path) -> None:
    for name, resuming in {"--resume": {"resume": True}, "--retry-failed": {"retry_failed": "all"}}.items():
        with pytest.raises(UsageError, match=f"--overwrite and {name} are"):
            configure(outputs=["a.csv"], overwrite=True, **resuming)
    (tmp_path / "a.csv").touch()
    path = str(tmp_path / "a.csv")
    with pytest.raises(UsageError, match="--overwrite cannot be combined with --refresh"):
        configure(outputs=[path], overwrite=True, refresh=path)
