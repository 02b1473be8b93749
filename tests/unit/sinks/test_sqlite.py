"""What the SQLite sink promises in addition to the contract: updates, concurrent readers, added columns."""

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
from fetchpool.sinks.added_columns import MAX_COLUMNS
from fetchpool.sinks.open import RowOptions, open_sink
from fetchpool.sinks.sqlite import SqliteSink
from tests.factories import record


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
    assert [name for name, _ in columns] == ["identity", *ROW_FIELDS, "extra", "title", "list"]
    types = dict(columns)
    assert [types[name] for name in ("urlnum", "url", "time_total", "size_delivered")] == [
        "INTEGER",
        "TEXT",
        "REAL",
        "INTEGER",
    ]
    (kept, plain) = ask(path, "SELECT * FROM fetches")
    expected = row.to_dict()
    assert dict(zip(ROW_FIELDS, kept[1:-3], strict=True)) == {name: expected[name] for name in ROW_FIELDS}
    assert kept[0] == fingerprint.from_record_url("http://h/")
    assert kept[-3:] == (None, "Füße", "[1,null]")
    assert plain[-3:] == (None, None, None)


def test_added_fields_have_columns_with_the_types_of_their_first_values(path: Path) -> None:
    sink = SqliteSink(str(path), ("sha256", "not_modified", "label"))
    known = "SELECT name, type FROM pragma_table_info('fetches') WHERE cid > 22"
    assert ask(path, known) == [("sha256", "TEXT"), ("not_modified", "BOOLEAN")]
    first = {"not_modified": True, "n": 1, "score": 2, "ok": False, "none": None, "tags": ["a"]}
    sink.write([record(0, extra=first), record(1, extra={"score": 0.5})])
    sink.flush()
    sink.write([record(2, extra={"n": "007", "ok": 1, "tags": 5, "later": "x", "score": 3})])
    sink.close()
    assert ask(path, known)[2:] == [
        ("label", "TEXT"),
        ("n", "INTEGER"),
        ("score", "REAL"),
        ("ok", "BOOLEAN"),
        ("tags", "TEXT"),
        ("later", "TEXT"),
    ]
    assert ask(path, "SELECT not_modified, n, score, ok, tags, later, extra FROM fetches") == [
        (1, 1, 2.0, 0, '["a"]', None, None),
        (None, None, 0.5, None, None, None, None),
        (None, None, 3.0, None, "5", "x", '{"n":"007","ok":1}'),
    ]


def test_names_that_sqlite_takes_for_one_and_names_of_its_own_share_the_extra_column(path: Path) -> None:
    sink = open_sink(str(path))
    names = ("Title", "title", "URL", "rowid", "IDENTITY", 'a "b"; --', "x" * 300, "ß", "")
    sink.write([record(0, extra={name: name for name in names})])
    sink.close()
    [(extra, *added)] = ask(path, 'SELECT extra, Title, "a ""b""; --", ß FROM fetches')
    assert added == ["Title", 'a "b"; --', "ß"]
    assert json.loads(extra) == {name: name for name in names if name not in added}
    assert ask(path, "SELECT url FROM fetches") == [("http://example.org/0",)]


def test_a_parser_that_makes_up_names_fills_the_extra_column_at_last(path: Path) -> None:
    sink = open_sink(str(path))
    sink.write([record(number, extra={f"n{number}": number}) for number in range(MAX_COLUMNS + 5)])
    sink.close()
    assert ask(path, "SELECT count(*) FROM fetches WHERE extra IS NOT NULL") == [(5,)]
    assert ask(path, "SELECT n3 FROM fetches WHERE urlnum = 3") == [(3,)]


def test_a_database_without_added_columns_gets_them(path: Path) -> None:
    """As earlier versions wrote it: their added fields stay in `extra`."""
    open_sink(str(path)).close()
    row = """(0, 'http://h/old', '{"title":"old"}')"""
    database(path, f"INSERT INTO fetches (urlnum, url, extra) VALUES {row}")
    for number in (1, 2):
        sink = open_sink(str(path), rows=RowOptions(("sha256",)))
        assert sink.appends
        sink.write([record(number, extra={"title": f"new {number}", "sha256": "ab"})])
        sink.close()
    assert ask(path, "SELECT title, sha256, extra FROM fetches") == [
        (None, None, '{"title":"old"}'),
        ("new 1", "ab", None),
        ("new 2", "ab", None),
    ]


def test_two_runs_at_once_use_the_columns_that_either_made(path: Path) -> None:
    one, other = open_sink(str(path)), open_sink(str(path))
    one.write([record(0, extra={"a": 1, "b": "x"})])
    one.flush()
    other.write([record(0, extra={"a": 2}), record(1, extra={"c": 3})])
    other.flush()
    one.write([record(2, extra={"c": 4})])
    one.close()
    other.close()
    assert ask(path, "SELECT urlnum, a, b, c FROM fetches") == [
        (0, 2, None, None),
        (1, None, None, 3),
        (2, None, None, 4),
    ]


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
    database(path, "ALTER TABLE fetches RENAME COLUMN error TO mine")
    with pytest.raises(UsageError, match="is a sqlite output of fetchpool with other columns"):
        open_sink(str(path))


def test_a_device_and_standard_output_are_no_database(tmp_path: Path) -> None:
    link = tmp_path / "null.sqlite"
    link.symlink_to("/dev/null")
    with pytest.raises(UsageError, match="not a regular file"):
        open_sink(str(link))
    with pytest.raises(UsageError, match="cannot write a database to standard output; name a file with -o"):
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
