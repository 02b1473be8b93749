"""A Parquet output is one file between runs, and no rows are lost on the way from and to a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet  # type: ignore[import-untyped]  # it ships no types

from fetchpool.model.errors import UsageError
from fetchpool.sinks import parquet_file
from fetchpool.sinks.open import RowOptions, open_sink
from fetchpool.sinks.parquet_parts import PartFiles
from tests.cli.runner import fetchpool
from tests.factories import record
from tests.faults.server import FaultServer

ONE_FILE = RowOptions(single_files=True)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    with FaultServer() as server:
        listed = [server.url(f"ok?{number}") for number in range(3)]
        (tmp_path / "urls").write_text("".join(f"{url}\n" for url in listed))
        (tmp_path / "first").write_text(f"{listed[0]}\n")
        yield listed


def append(path: Path, *numbers: int, rows: RowOptions = ONE_FILE) -> None:
    sink = open_sink(str(path), rows=rows)
    sink.write([record(number) for number in numbers])
    sink.close()


def numbers_in(path: Path) -> list[int]:
    assert path.is_file()
    return [row["urlnum"] for row in parquet.read_table(path).to_pylist()]


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_run_makes_one_file_and_resumes_it(urls: list[str], tmp_path: Path) -> None:
    for listed in ("first", "urls"):
        done = fetchpool(listed, "-o", "rows.parquet", "--resume", "--keep", "body", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert names_in(tmp_path) == ["first", "rows.parquet", "urls"]
    found = duckdb.sql(f"SELECT url, octet_length(body) > 0 FROM '{tmp_path}/rows.parquet'").fetchall()
    assert sorted(found) == [(url, True) for url in sorted(urls)]
    assert fetchpool("compact", "rows.parquet", cwd=tmp_path).returncode == 0
    assert fetchpool("--refresh", "rows.parquet", "-o", "new.jsonl", cwd=tmp_path).returncode == 0
    assert names_in(tmp_path) == ["first", "new.jsonl", "rows.parquet", "urls"]


def test_rows_of_several_runs_are_in_one_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    for numbers in ((1, 2), (3,), (), (4,)):
        append(path, *numbers)
    assert numbers_in(path) == [1, 2, 3, 4]


def test_a_link_leads_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").symlink_to("real.parquet")
    for number in (1, 2):
        append(tmp_path / "rows.parquet", number)
    assert numbers_in(tmp_path / "real.parquet") == [1, 2]
    assert (tmp_path / "rows.parquet").is_symlink()


def test_an_output_that_began_as_a_directory_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    append(path, 1, rows=RowOptions())
    append(path, 2)
    assert [part.name for part in sorted(path.glob("part-*"))] == [
        "part-000000.parquet",
        "part-000001.parquet",
    ]


def test_what_is_too_large_stays_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.parquet"
    append(path, 1)
    monkeypatch.setattr(parquet_file, "MAX_SIZE", 1)
    append(path, 2)
    assert len(list(path.glob("part-*"))) == 2
    monkeypatch.undo()
    append(path, 3)
    assert numbers_in(path) == [1, 2, 3]


def test_a_file_with_other_columns_is_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    append(path, 1)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="with other columns"):
        open_sink(str(path), rows=RowOptions(fields=("url",), single_files=True))
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["rows.parquet"]


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    duckdb.sql(f"COPY (SELECT 1 AS a) TO '{path}' (FORMAT parquet)")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is not a parquet output of fetchpool"):
        open_sink(str(path), rows=ONE_FILE)
    assert path.read_bytes() == before


def test_a_second_run_is_refused_while_the_first_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    append(path, 1)
    sink = open_sink(str(path), rows=ONE_FILE)
    with pytest.raises(UsageError, match="another run is writing to it"):
        open_sink(str(path), rows=ONE_FILE)
    sink.close()
    assert numbers_in(path) == [1]


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", range(8))
def test_no_rows_are_lost_whenever_the_process_is_killed(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each renaming in turn, before it is done. The lock of a killed process is released."""
    path = tmp_path / "rows.parquet"
    append(path, 1, 2)
    renamed = Path.rename
    left = step

    def rename(self: Path, target: Path) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    sink: Any = None
    written = False
    try:
        sink = open_sink(str(path), rows=ONE_FILE)
        sink.write([record(3)])
        sink.flush()
        written = True
        sink.close()
    except KilledError:
        pass
    monkeypatch.undo()
    del sink
    append(path, 4)
    numbers = numbers_in(path)
    assert numbers == ([1, 2, 3, 4] if written else [1, 2, 4])
    assert names_in(tmp_path) == ["rows.parquet"]
    assert PartFiles.is_ours(path)
