"""Outputs changed by others: truncated, foreign or hostile content costs a row, or is reported in a line."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from fetchpool.history.refresh import PreviousRun
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import StoredRow
from fetchpool.sinks.base import ResumableSink
from fetchpool.sinks.open import open_sink
from fetchpool.sinks.spool import SpooledBody
from tests.factories import record

DEEP = "[" * 100_000 + "]" * 100_000


def rows_of(sink: ResumableSink) -> list[StoredRow | None]:
    return [row for rows in sink.stored_rows() for row in rows]


def test_41_a_line_nested_too_deeply_is_ignored(tmp_path: Path) -> None:
    """No traceback, and the other lines count."""
    path = tmp_path / "rows.jsonl"
    lines = ['{"urlnum":0,"url":"http://h/0","error":null}', f'{{"urlnum":1,"x":{DEEP}}}', "\0" * 100]
    path.write_text("\n".join([*lines, lines[0]]) + "\n")
    sink = open_sink(str(path))
    assert rows_of(sink) == [StoredRow("http://h/0", None), None, None, StoredRow("http://h/0", None)]
    sink.close()


@pytest.mark.parametrize("extra", ["[1]", "7", "{", "null", DEEP, b"\xff", 3.5], ids=range(7))
def test_41_invalid_values_in_a_database_are_ignored(tmp_path: Path, extra: object) -> None:
    """A URL that is not text and a size that is not a number are ignored; those URLs are requested again."""
    path = tmp_path / "rows.sqlite"
    sink = open_sink(str(path))
    sink.write([record(0), record(1), record(2)])
    sink.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE fetches SET extra = ?, size_delivered = 'x' WHERE urlnum = 0", (extra,))
        database.execute("UPDATE fetches SET url = x'ff', error = 7 WHERE urlnum = 1")
        database.execute("UPDATE fetches SET size_delivered = 9e99, content_type = 1 WHERE urlnum = 2")
    database.close()
    old = PreviousRun(str(path))
    assert [url for urls in old.urls() for url in urls] == ["http://example.org/0", "http://example.org/2"]
    sink = open_sink(str(path))
    assert [row and row.url for row in rows_of(sink)] == [
        "http://example.org/0",
        None,
        "http://example.org/2",
    ]
    sink.close()


def test_41_unreadable_pending_parquet_rows_are_ignored(tmp_path: Path) -> None:
    """The complete ones become a part; if their columns can't be determined, a message names the file."""
    path = tmp_path / "rows.parquet"
    sink = open_sink(str(path))
    sink.write([record(0)])
    sink.flush()
    waiting = path / "_part-000000.jsonl"
    saved = waiting.read_bytes()
    sink.close()
    (path / "part-000000.parquet").unlink()
    waiting.write_bytes(saved + b"\0" * 4096 + b"\n" + DEEP.encode() + b"\n" + saved.splitlines()[1] + b"\n")
    sink = open_sink(str(path))
    assert rows_of(sink) == [StoredRow("http://example.org/0", None)] * 2
    sink.close()
    (path / "_part-000007.jsonl").write_bytes(b"\0\0\n" + saved.splitlines()[1] + b"\n")
    with pytest.raises(UsageError, match=r"_part-000007.jsonl: not waiting rows of fetchpool"):
        open_sink(str(path))
    (path / "_part-000007.jsonl").write_bytes(saved.replace(b'"urlnum":0', b'"urlnum":%d' % (1 << 63)))
    with pytest.raises(OutputError, match=r"rows.parquet: "):
        open_sink(str(path))


def test_46_a_reused_process_id_does_not_reuse_temporary_files(tmp_path: Path) -> None:
    """If a process id is reused, temporary files of that name exist already, and the body gets another
    name."""
    first = SpooledBody(str(tmp_path))
    first.rollover()
    number = int(Path(first.path).name.partition("-")[2])
    for later in range(1, 4):
        (tmp_path / f"{os.getpid()}-{number + later}").write_bytes(b"another's")
    second = SpooledBody(str(tmp_path))
    second.write(b"mine")
    second.rollover()
    second.close()
    assert Path(second.path).read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 5
    first.discard()
