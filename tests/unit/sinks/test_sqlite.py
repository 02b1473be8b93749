"""What the SQLite sink promises beside the contract: a repeat is an update, and anybody may look on."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fetchpool.model import fingerprint
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import ROW_FIELDS
from fetchpool.sinks.open import open_sink
from fetchpool.sinks.sqlite import SqliteSink
from tests.contracts.records import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


def ask(path: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(question).fetchall()


def test_the_table_has_the_rows_own_columns_with_their_types(path: Path) -> None:
    row = record(5, "http://h/", time_total=0.25, extra={"title": "Füße", "list": [1, None]})
    sink = open_sink(str(path))
    sink.write([row, record(6)])
    sink.close()
    columns = ask(path, "SELECT name, type FROM pragma_table_info('fetches')")
    assert [name for name, _ in columns] == ["identity", *ROW_FIELDS, "extra"]
    types = dict(columns)
    assert [types[name] for name in ("urlnum", "url", "time_total", "size_delivered")] == [
        "INTEGER",
        "TEXT",
        "REAL",
        "INTEGER",
    ]
    (kept, plain) = ask(path, "SELECT * FROM fetches")
    expected = row.to_dict()
    assert dict(zip(ROW_FIELDS, kept[1:-1], strict=True)) == {name: expected[name] for name in ROW_FIELDS}
    assert kept[0] == fingerprint.from_record_url("http://h/")
    assert json.loads(kept[-1]) == row.extra
    assert plain[-1] is None
    assert ask(path, "SELECT json_extract(extra, '$.title') FROM fetches WHERE urlnum = 5") == [("Füße",)]


def test_a_later_row_of_the_same_url_replaces_the_earlier_one(path: Path) -> None:
    sink = open_sink(str(path))
    sink.write([record(0, "http://h/", error="dns", size_delivered=None, extra={"a": 1}), record(1)])
    sink.write([record(0, "HTTP://H:80/#x", size_delivered=7)])
    sink.close()
    rows = ask(path, "SELECT url, error, size_delivered, extra FROM fetches")
    assert rows == [("HTTP://H:80/#x", None, 7, None), ("http://example.org/1", None, 1256, None)]


def test_others_can_read_and_even_hold_on_while_it_is_written(path: Path) -> None:
    sink = open_sink(str(path))
    sink.write([record(0)])
    sink.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM fetches").fetchone() == (1,)
        sink.write([record(1)])
        sink.flush()
        assert reader.execute("SELECT count(*) FROM fetches").fetchone() == (1,)  # its own moment
        assert ask(path, "SELECT count(*) FROM fetches") == [(2,)]
        sink.close()
    assert ask(path, "SELECT count(*) FROM fetches") == [(2,)]


def test_a_closed_database_is_one_file(path: Path) -> None:
    sink = open_sink(str(path))
    sink.write([record(0)])
    sink.close()
    assert list(path.parent.iterdir()) == [path]


def database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        for statement in statements:
            foreign.execute(statement)


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE bookmarks (url TEXT)"],
        ["CREATE TABLE fetches (url TEXT, error TEXT)", "PRAGMA user_version = 1"],
        ["PRAGMA journal_mode = WAL", "CREATE TABLE fetches (url)"],
        ["CREATE TABLE gone (url)", "DROP TABLE gone"],
    ],
)
def test_a_foreign_database_is_refused_untouched(path: Path, statements: list[str]) -> None:
    database(path, *statements)
    before = path.read_bytes()
    os.utime(path, (1, 1))
    with pytest.raises(UsageError, match="is not a sqlite output of fetchpool; choose another -o"):
        open_sink(str(path))
    assert (path.read_bytes(), path.stat().st_mtime) == (before, 1)
    assert list(path.parent.iterdir()) == [path]


def test_a_database_of_ours_with_other_columns_is_refused(path: Path) -> None:
    open_sink(str(path)).close()
    database(path, "ALTER TABLE fetches ADD COLUMN mine")
    with pytest.raises(UsageError, match="is a sqlite output of fetchpool with other columns"):
        open_sink(str(path))


def test_a_device_and_standard_output_are_no_database(tmp_path: Path) -> None:
    link = tmp_path / "null.sqlite"
    link.symlink_to("/dev/null")
    with pytest.raises(UsageError, match="is no file, which a database has to be"):
        open_sink(str(link))
    with pytest.raises(UsageError, match="a database can't go to standard output; name a file with -o"):
        open_sink("-", "sqlite")


def test_a_database_that_is_damaged_under_us_is_an_output_error(path: Path) -> None:
    sink = open_sink(str(path))
    sink.write([record(number) for number in range(5000)])
    sink.close()
    sink = open_sink(str(path))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 65536)
    sink.write([record(number) for number in range(10_000, 12_000)])
    with pytest.raises(OutputError, match=r"results\.sqlite: can't be written: "):
        sink.flush()
    sink.close()


def test_the_log_is_written_back_every_few_seconds(path: Path) -> None:
    now = 0.0
    sink = SqliteSink(str(path), clock=lambda: now)
    sink.write([record(number) for number in range(1000)])
    sink.flush()
    before = path.stat().st_size
    now = 5.0
    sink.flush()
    assert path.stat().st_size > before + 100_000
    sink.close()
