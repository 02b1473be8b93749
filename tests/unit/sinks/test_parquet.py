"""The Parquet output, in addition to the contract of every sink: parts, crashes, compaction."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as parquet
import pytest

from fetchpool.history.compact import compact
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import ROW_FIELDS, Record
from fetchpool.sinks.open import open_sink
from fetchpool.sinks.parquet import ParquetSink
from fetchpool.sinks.parquet_pending import MAX_WAITING, PART_INTERVAL
from tests.cli import runner
from tests.cli.environment import ROOT
from tests.cli.runner import fetchpool
from tests.factories import record


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def append(path: Path, records: Sequence[Record], extra_fields: tuple[str, ...] = ()) -> None:
    sink = ParquetSink(str(path), extra_fields)
    sink.write(records)
    sink.close()


def rows(path: Path) -> list[dict[str, Any]]:
    """As DuckDB finds them, in the order in which they were written."""
    found = duckdb.sql(f"SELECT * FROM '{path}/*.parquet' ORDER BY filename, file_row_number")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def urlnums(path: Path) -> list[int]:
    return [row["urlnum"] for row in rows(path)]


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def test_columns_are_the_rows_fields_with_their_types_and_added_fields(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    extra = {"sha256": "ab", "not_modified": True, "title": "T", "list": [1, None]}
    features = ("sha256", "not_modified")
    failed = record(1, error="dns", size_delivered=None, response_code=None)
    append(path, [record(0, extra=extra), failed], features)
    schema = parquet.read_schema(path / "part-000000.parquet")
    assert schema.names == [*ROW_FIELDS, *features, "title", "list", "extra"]
    types = {name: str(schema.field(name).type) for name in ("urlnum", "time_total", "url", "not_modified")}
    assert types == {"urlnum": "int64", "time_total": "double", "url": "string", "not_modified": "bool"}
    first, second = rows(path)
    found = tuple(first[name] for name in ("sha256", "not_modified", "title", "list", "extra"))
    assert found == ("ab", True, "T", "[1,null]", None)
    assert (first["size_delivered"], first["time_total"]) == (1256, 0.045)
    assert {second[name] for name in ("sha256", "not_modified", "title", "extra", "size_delivered")} == {None}


def test_fields_that_appear_during_the_run_get_columns_which_later_parts_keep(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    append(path, [record(0)])
    append(path, [record(1, extra={"n": 1, "score": 2, "ok": True, "mixed": 1, "Title": "T", "title": "t"})])
    append(path, [record(2, extra={"score": 0.5, "mixed": "007", "later": "x"})], ("sha256",))
    append(path, [record(3)])
    added = [
        {
            field.name: str(field.type)
            for field in parquet.read_schema(part)
            if field.name not in (*ROW_FIELDS, "extra")
        }
        for part in sorted(path.glob("part-*"))
    ]
    numbers = {"n": "int64", "score": "int64", "ok": "bool", "mixed": "int64", "Title": "string"}
    wider = numbers | {"score": "double", "mixed": "string", "sha256": "string", "later": "string"}
    assert added == [{}, numbers, wider, wider]
    expected = [
        (0, None, None, None, None, None, None, None),
        (1, 1, 2.0, True, "1", "T", None, '{"title":"t"}'),
        (2, None, 0.5, None, "007", None, "x", None),
        (3, None, None, None, None, None, None, None),
    ]
    query = "SELECT urlnum, n, score, ok, mixed, Title, later, extra FROM {} ORDER BY urlnum"
    apart = f"read_parquet('{path}/*.parquet', union_by_name = true)"
    assert duckdb.sql(query.format(apart)).fetchall() == expected
    done = compact(str(path))
    assert (done.kept, done.superseded) == (4, 0)
    assert duckdb.sql(query.format(f"'{path}/*.parquet'")).fetchall() == expected
    import pandas  # half a second

    assert list(pandas.read_parquet(path)["mixed"].fillna("")) == ["", "1", "007", ""]


def test_a_checkpoint_makes_one_complete_part_of_the_waiting_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    clock = Clock()
    sink = ParquetSink(str(path), clock=clock)
    for number in range(3):
        sink.write([record(number)])
        sink.flush()
    assert names(path) == ["_lock", "_part-000000.jsonl"]
    clock.now = PART_INTERVAL
    sink.flush()
    assert names(path) == ["_lock", "part-000000.parquet"]
    sink.write([record(number) for number in range(3, MAX_WAITING + 3)])
    sink.flush()
    assert names(path) == ["_lock", "part-000000.parquet", "part-000001.parquet"]
    sink.write([record(MAX_WAITING + 3)])
    sink.close()
    assert urlnums(path) == list(range(MAX_WAITING + 4))


def test_rows_that_a_killed_run_left_waiting_become_a_part_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    script = """
import os, sys
from fetchpool.sinks.open import RowOptions, open_sink
from tests.factories import record
sink = open_sink(sys.argv[1], rows=RowOptions(("sha256",)))
sink.write([record(number, extra={"sha256": str(number)}) for number in range(5)])
sink.flush()
os.kill(os.getpid(), 9)
"""
    for run in range(2):
        done = runner.run(
            [sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[3], check=False
        )
        assert done.returncode == -signal.SIGKILL
        waiting = path / f"_part-{run:06}.jsonl"
        with waiting.open("ab") as truncated:
            truncated.write(waiting.read_bytes().splitlines(keepends=True)[1][:-9])
        left = waiting.read_bytes()
    append(path, [], ("sha256",))
    assert urlnums(path) == [0, 1, 2, 3, 4] * 2
    assert rows(path)[3]["sha256"] == "3"
    (path / "_part-000001.jsonl").write_bytes(left)  # killed between the part and the end of its lines
    append(path, [], ("sha256",))
    assert urlnums(path) == [0, 1, 2, 3, 4] * 2
    assert names(path) == ["_lock", "part-000000.parquet", "part-000001.parquet"]


def test_a_second_run_at_once_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    sink = open_sink(str(path))
    with pytest.raises(
        UsageError, match=r"another run is writing to it, .*; wait for it, or choose another -o"
    ):
        open_sink(str(path))
    sink.write([record(0)])
    sink.close()
    append(path, [record(1)])
    assert urlnums(path) == [0, 1]


def test_a_directory_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.mkdir()
    (path / "part-000000.parquet").write_bytes(b"PAR1 or so")
    with pytest.raises(
        UsageError, match=r"is not a parquet output of fetchpool, part-000000\.parquet is in it"
    ):
        open_sink(str(path))
    duckdb.sql(f"COPY (SELECT 1 AS urlnum) TO '{path}/part-000000.parquet'")
    with pytest.raises(UsageError, match="is not a parquet output of fetchpool"):
        open_sink(str(path))
    assert names(path) == ["part-000000.parquet"]
    other = tmp_path / "others.parquet"
    append(other, [record(0)])
    append(other, [record(1)], ("sha256",))
    assert urlnums(other) == [0, 1]


def test_standard_output_cannot_be_a_directory() -> None:
    with pytest.raises(UsageError, match="cannot write a directory to standard output; name one with -o"):
        open_sink("-", "parquet")


def test_without_pyarrow_the_fix_is_named(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["pyarrow"] = None
from fetchpool.sinks.open import RowOptions, open_sink
open_sink(sys.argv[1])
"""
    done = runner.run(
        [sys.executable, "-c", script, str(tmp_path / "rows.parquet")],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Parquet needs pyarrow, which isn't installed: pip install 'fetchpool[parquet]'" in done.stderr


def test_43_a_full_disk_leaves_complete_parts_and_complete_rows(tmp_path: Path) -> None:
    """At the lines that wait and at the part that is made of them."""
    path = tmp_path / "rows.parquet"
    append(path, [record(number) for number in range(10)])
    script = """
import resource, sys; sys.dont_write_bytecode = True
from fetchpool.model.errors import OutputError
from fetchpool.sinks.open import RowOptions, open_sink
from tests.factories import record
sink = open_sink(sys.argv[1])
sink.write([record(number) for number in range(10, 20)])
sink.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    sink.write([record(number) for number in range(20, 1000)])
    sink.close()
except OutputError as failure: print(failure)
sink.close()
"""
    for free in (6_000, 1_000):
        done = runner.run(
            [sys.executable, "-c", script, str(path), str(free)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.startswith(f"{path}: can't be written: "), done.stderr
        assert "_making.unfinished" not in names(path)
        before = urlnums(path)
        append(path, [])
        assert urlnums(path)[: len(before) + 10] == [*before, *range(10, 20)]


def test_compaction_leaves_one_part_with_final_rows_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    failed = [record(number, error="dns" if number % 3 == 0 else None) for number in range(30)]
    append(path, failed[:20], ("sha256",))
    append(path, failed[20:], ("sha256",))
    append(path, [record(number) for number in range(0, 30, 3)], ("sha256",))
    done = compact(str(path))
    assert (done.kept, done.superseded, done.damaged) == (30, 10, 0)
    assert names(path) == ["_lock", "part-000003.parquet"]
    assert [row["error"] for row in rows(path)] == [None] * 30
    assert urlnums(path) == [*(n for n in range(30) if n % 3), *range(0, 30, 3)]
    assert compact(str(path)).superseded == 0
    assert names(path) == ["_lock", "part-000003.parquet"]
    append(path, [record(30)], ("sha256",))
    assert urlnums(path)[-1] == 30
    command = fetchpool("compact", "rows.parquet", cwd=tmp_path)
    assert (command.returncode, command.stderr) == (0, "rows.parquet: 31 rows, already compact\n")


def test_a_compaction_that_was_killed_is_completed_when_the_directory_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    for number in (0, 1):
        append(path, [record(number)])
    merged = tmp_path / "merged.parquet"
    append(merged, [record(0), record(1)])
    (merged / "part-000000.parquet").rename(path / "_merged-000002.complete")
    (path / "part-000000.parquet").unlink()  # that far it came
    append(path, [record(2)])
    assert urlnums(path) == [0, 1, 2]
    assert names(path) == ["_lock", "part-000002.parquet", "part-000003.parquet"]


def test_failures_are_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    sink = open_sink(str(path))
    sink.write([record(0)])
    sink.flush()
    (path / "_part-000000.jsonl").unlink()
    with pytest.raises(OutputError, match="can't be written"):
        sink.close()
    sink.close()


BODIES = """
import os, sys
from fetchpool.sinks import parquet, parquet_pending
from fetchpool.sinks.open import RowOptions, open_sink
from tests.factories import record

parquet.MAX_BUFFERED_BYTES = 1 << 20
parquet_pending.GROUP_BYTES, parquet_pending.MAX_WAITING_BYTES = 4 << 20, 16 << 20
sink = open_sink(sys.argv[1], rows=RowOptions(("body",), {"body": "binary"}, single_files=True))
body = os.urandom(1 << 20)
for number in range(int(sys.argv[2])):
    sink.write([record(number, extra={"body": number.to_bytes(4, "big") + body})])
sink.close()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_bodies_are_converted_in_bounded_memory(tmp_path: Path) -> None:
    """Rows wait on the disk; only a row group is in memory, whatever the number of rows is."""

    def peak(name: str, rows: int) -> int:
        done = runner.run(
            [sys.executable, "-c", BODIES, str(tmp_path / name), str(rows)],
            cwd=ROOT,
            timeout=50,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout) << 10

    few, many = peak("few.parquet", 24), peak("many.parquet", 72)
    assert (tmp_path / "many.parquet").stat().st_size > 72 << 20
    assert many - few < 36 << 20
