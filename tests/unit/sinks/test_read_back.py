"""Rows of our own outputs, read by the one reader: the same fields from every format and version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from fetchpool.model.errors import UsageError
from fetchpool.sinks.open import RowOptions, open_sink
from fetchpool.sinks.read_back import COMPLETE, Row, read_rows
from tests.factories import record

FIELDS = ("urlnum", "error", "sha256", "title")


def rows_of(path: Path, format: str) -> list[Row]:
    return [row for rows in read_rows(str(path), format, FIELDS) for row in rows]


@pytest.mark.parametrize("format", COMPLETE)
def test_every_format_gives_the_same_fields(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"rows.{format}"
    sink = open_sink(str(path), rows=RowOptions(("sha256",)))
    extra = {"sha256": "ab", "title": "=1+1", "Title": "other", "unwanted": 1}
    sink.write([record(0, extra=extra), record(1, error="dns"), replace(record(2), url="")])
    sink.close()
    first, second = rows_of(path, format)  # a row without a URL is left out
    assert {**first, "urlnum": int(first["urlnum"])} == {
        "urlnum": 0,
        "url": "http://example.org/0",
        "sha256": "ab",
        "title": "=1+1",
    }
    assert {**second, "urlnum": int(second["urlnum"])} == {
        "urlnum": 1,
        "url": "http://example.org/1",
        "error": "dns",
    }


@pytest.mark.parametrize("format", COMPLETE)
def test_an_empty_output_has_no_rows(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"rows.{format}"
    open_sink(str(path)).close()
    assert rows_of(path, format) == []


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_damaged_line_is_left_out_and_hides_no_other(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"rows.{format}"
    sink = open_sink(str(path))
    sink.write([record(number) for number in range(3)])
    sink.close()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[-2] = b'"' + lines[-2][:-9] + b"\n"
    path.write_bytes(b"".join(lines) + lines[-1][:-5])
    assert [int(row["urlnum"]) for row in rows_of(path, format)] == [0, 2]


def test_fields_in_the_extra_column_of_an_older_database_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    open_sink(str(path)).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO fetches (urlnum, url, extra) VALUES (0, 'http://h/', ?)", ('{"title":"T","n":1}',)
        )
    assert rows_of(path, "sqlite") == [{"url": "http://h/", "urlnum": 0, "title": "T"}]


@pytest.mark.parametrize("format", COMPLETE)
def test_a_file_of_something_else_is_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"rows.{format}"
    path.write_text('{"a":1}\n')
    with pytest.raises(UsageError, match=rf"rows.{format}: "):
        rows_of(path, format)
    with pytest.raises(UsageError, match="missing"):
        rows_of(tmp_path / "missing", format)


@pytest.mark.parametrize("format", COMPLETE)
def test_resume_and_refresh_read_the_same_urls_and_errors(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"rows.{format}"
    sink = open_sink(str(path))
    sink.write([record(0), record(1, url="http://h/,'=1"), record(2, error="dns")])
    sink.close()
    sink = open_sink(str(path))
    stored = [row and (row.url, row.error) for rows in sink.stored_rows() for row in rows]
    sink.close()
    assert stored == [(row["url"], row.get("error")) for row in rows_of(path, format)]
    assert [error for _, error in filter(None, stored)] == [None, None, "dns"]
