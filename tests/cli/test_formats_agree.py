"""One run, four outputs, two readers, as a user would use them: all agree."""

from __future__ import annotations

import importlib
import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.model.record import ROW_FIELDS
from tests.cli.runner import fetchpool
from tests.faults.server import FaultServer

Rows = list[dict[str, Any]]
FEATURES = ("sha256", "etag", "last_modified", "title", "label")
COLUMNS = (*ROW_FIELDS, *FEATURES)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, demo_server: DemoServer) -> Path:
    """A run with answers, redirects, failures, and text that formats like to get wrong."""
    path = tmp_path_factory.mktemp("formats")
    with FaultServer() as faults:
        urls = [
            *(demo_server.url(f"/page/{number}") for number in range(20)),
            *(
                demo_server.url(f"/{name}")
                for name in ("bytes/0", "gzip", "redirect/3", "status/404", "status/500")
            ),
            faults.url("not-modified"),
            faults.url("short-body"),
            faults.url("unknown-encoding"),
            faults.url("headers"),
            demo_server.url("/page/21?a=1,2&q=%22;'"),
            demo_server.url("/page/22").replace("http://", "http://me:secret@"),
            "http://bücher.invalid/東京",
            "http://[::1",
            "=HYPERLINK(1)",
        ]
        labels = ["plain", "", "a,b", 'q"q', "two\nlines", "-1", "007", "Füße 🙂", "null", "1e5", "true"]
        listed = [{"url": url, "label": labels[number % len(labels)]} for number, url in enumerate(urls)]
        (path / "list.jsonl").write_text("".join(json.dumps(each) + "\n" for each in listed))
        outputs = [
            word for suffix in ("jsonl", "csv", "sqlite", "parquet") for word in ("-o", f"rows.{suffix}")
        ]
        options = (
            "--url-column",
            "url",
            "--keep-columns",
            "--parse",
            "title",
            "--hash",
            "sha256",
            "--retry",
            "0",
        )
        done = fetchpool("list.jsonl", *options, *outputs, cwd=path)
    assert done.returncode == 1, done.stderr
    return path


@cache
def pandas() -> Any:
    """The module, which takes half a second to import."""
    return importlib.import_module("pandas")


def plain(value: Any) -> Any:
    """A value without what a reader makes of it: NaN for null, a float for an integer that can be null."""
    if value is None or value is pandas().NaT or value is pandas().NA:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value == int(value) else value
    return value


def rows(columns: list[str], values: list[Any]) -> Rows:
    """With the fields that are in `extra` next to the others."""
    found = []
    for each in values:
        row = {name: plain(value) for name, value in zip(columns, each, strict=True)}
        row |= json.loads(row.pop("extra", None) or "{}")
        found.append({name: row.get(name) for name in COLUMNS})
    return sorted(found, key=lambda row: int(row["urlnum"]))


def by_duckdb(query: str) -> Rows:
    relation = duckdb.sql(query)
    return rows(relation.columns, relation.fetchall())


def by_pandas(frame: Any) -> Rows:
    return rows(list(frame.columns), frame.astype(object).values.tolist())


def sqlite_frame(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database:
        return pandas().read_sql("SELECT * FROM fetches", database).drop(columns="identity")


def sqlite_by_duckdb(path: Path) -> Rows:
    """By way of a frame: DuckDB's own reader of SQLite has to be downloaded."""
    frame = sqlite_frame(path)
    relation = duckdb.from_df(frame)
    return rows(relation.columns, relation.fetchall())


READERS: dict[str, Callable[[Path], Rows]] = {
    "jsonl by duckdb": lambda directory: by_duckdb(f"SELECT * FROM read_json('{directory}/rows.jsonl')"),
    "jsonl by pandas": lambda directory: by_pandas(
        pandas().read_json(directory / "rows.jsonl", lines=True, dtype=False, precise_float=True)
    ),
    "csv by duckdb": lambda directory: by_duckdb(
        f"SELECT * FROM read_csv('{directory}/rows.csv',"
        " header = true, types = {'http_version': 'VARCHAR'})"
    ),
    "csv by pandas": lambda directory: by_pandas(
        pandas().read_csv(
            directory / "rows.csv",
            dtype={"http_version": str, "label": str},
            keep_default_na=False,
            na_values=[""],
        )
    ),
    "sqlite by duckdb": lambda directory: sqlite_by_duckdb(directory / "rows.sqlite"),
    "sqlite by pandas": lambda directory: by_pandas(sqlite_frame(directory / "rows.sqlite")),
    "parquet by duckdb": lambda directory: by_duckdb(f"SELECT * FROM '{directory}/rows.parquet'"),
    "parquet by pandas": lambda directory: by_pandas(pandas().read_parquet(directory / "rows.parquet")),
}


@pytest.fixture(scope="module")
def expected(directory: Path) -> Rows:
    found = [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]
    return rows(list(COLUMNS), [[row.get(name) for name in COLUMNS] for row in found])


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_of_every_output_finds_the_same_rows(
    directory: Path, expected: Rows, reader: str
) -> None:
    assert len(expected) == 34
    found = READERS[reader](directory)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        if reader.startswith("csv"):  # there, an empty text is no text, and a formula has a ' before it
            wanted = {name: None if value == "" else value for name, value in wanted.items()}
            row = {name: in_csv(value) for name, value in row.items()}
        assert row == wanted


@pytest.mark.parametrize(
    "source", ["read_json('{}/rows.jsonl')", "read_csv('{}/rows.csv')", "'{}/rows.parquet'"]
)
def test_common_queries_have_the_same_result_in_every_format(
    directory: Path, expected: Rows, source: str
) -> None:
    table = source.format(directory)
    total = duckdb.sql(f"SELECT count(*), sum(size_delivered), count(error) FROM {table}").fetchall()
    sizes = [row["size_delivered"] for row in expected if row["size_delivered"] is not None]
    assert total == [(len(expected), sum(sizes), sum(row["error"] is not None for row in expected))]
    kinds = duckdb.sql(f"SELECT error, count(*) FROM {table} WHERE error IS NOT NULL GROUP BY ALL").fetchall()
    assert dict(kinds) == {
        kind: sum(row["error"] == kind for row in expected)
        for kind in {row["error"] for row in expected} - {None}
    }


def in_csv(value: Any) -> Any:
    """What a cell stood for."""
    if isinstance(value, str) and value[:1] == "'" and value[1:2] in ("=", "+", "-", "@"):
        return value[1:]
    return None if value == "" else value
