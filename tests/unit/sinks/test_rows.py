"""How each format spells a row: bytes that people's own programs read."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.model.record import ROW_FIELDS
from fetchpool.sinks.csv import CsvRows
from fetchpool.sinks.jsonl import JsonlRows
from fetchpool.sinks.text import TextRows
from tests.factories import record

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
json_values = st.recursive(
    values | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["extra", "a", "url"]), inner)
    ),
    max_leaves=5,
)


def csv_row(rows: CsvRows, **fields: object) -> dict[str, str]:
    text = (rows.header + rows.encode([record(**fields)])).decode()  # type: ignore[arg-type]
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    return row


def test_a_text_row_is_the_size_summary_that_people_grep() -> None:
    rows = TextRows().encode(
        [
            record(0, "https://example.org/"),
            record(1, "https://example.org/slow", error="timeout_total", size_delivered=None),
            record(2, "https://example.org/missing", error="http_404", size_delivered=12),
            record(3, "https://example.org/empty", size_delivered=0),
            record(4, "http://h/[/foo]> size:[7]"),
        ]
    )
    assert rows.decode() == (
        "url:<https://example.org/> size:[1256]\n"
        "url:<https://example.org/slow> error:[timeout_total]\n"
        "url:<https://example.org/missing> error:[http_404]\n"
        "url:<https://example.org/empty> size:[0]\n"
        "url:<http://h/[/foo]> size:[7]> size:[1256]\n"
    )


def test_a_jsonl_row_has_the_documented_fields_in_order_then_the_parsers() -> None:
    (plain,) = JsonlRows().encode([record(5)]).decode().split("\n")[:-1]
    assert list(json.loads(plain)) == list(ROW_FIELDS)
    assert json.loads(plain) == record(5).to_dict()
    with_title, without = (
        JsonlRows().encode([record(5, extra={"title": "T", "n": [1]}), record(6)]).decode().split("\n")[:-1]
    )
    assert list(json.loads(with_title)) == [*ROW_FIELDS, "title", "n"]
    assert json.loads(with_title) == record(5, extra={"title": "T", "n": [1]}).to_dict()
    assert json.loads(without) == record(6).to_dict()


@given(st.lists(st.dictionaries(st.sampled_from(["title", "a", "b"]), json_values, max_size=3), max_size=3))
def test_a_jsonl_row_reads_back_as_it_was(extras: list[dict[str, object]]) -> None:
    records = [record(number, extra=extra) for number, extra in enumerate(extras)]
    lines = JsonlRows().encode(records).decode().split("\n")[:-1]
    assert [json.loads(line) for line in lines] == [each.to_dict() for each in records]


@pytest.mark.parametrize("url", ['http://h/,"extra":{}}', 'http://h/\\",\\"extra\\":{}}'])
def test_a_url_that_looks_like_the_end_of_a_row_is_none(url: str) -> None:
    (line,) = JsonlRows().encode([record(5, url)]).decode().split("\n")[:-1]
    assert json.loads(line)["url"] == url


def test_csv_columns_are_the_row_then_the_known_fields_then_the_rest() -> None:
    rows = CsvRows(("title", "words"))
    assert rows.header.decode() == ",".join(ROW_FIELDS) + ",title,words,extra\n"
    row = csv_row(rows, extra={"words": 7, "title": "T", "lang": "de", "links": ["a"]})
    assert (row["title"], row["words"]) == ("T", "7")
    assert json.loads(row["extra"]) == {"lang": "de", "links": ["a"]}
    assert csv_row(rows)["extra"] == ""
    assert json.loads(csv_row(CsvRows(), extra={"title": "=1"})["extra"]) == {"title": "=1"}


def test_csv_cells_hold_the_rows_values() -> None:
    row = csv_row(CsvRows(), number=5, time_total=0.00005, size_download=None, url='http://h/"a",b')
    expected = record(5, 'http://h/"a",b', time_total=0.00005, size_download=None).to_dict()
    for name in ROW_FIELDS:
        assert row[name] == ("" if expected[name] is None else str(expected[name]))


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_csv_cell_that_a_spreadsheet_would_run_is_neutralised(start: str) -> None:
    formula = f"{start}cmd|' /C calc'!A0"
    row = csv_row(CsvRows(("title",)), url=formula, content_type=formula, extra={"title": formula})
    assert [row[name][0] for name in ("url", "content_type", "title")] == ["'"] * 3


def test_csv_numbers_stay_numbers() -> None:
    row = csv_row(
        CsvRows(("a", "b", "c", "d")),
        size_delivered=-1,
        time_total=-1.5,
        extra={"a": -7, "b": -0.5, "c": True, "d": [-1]},
    )
    cells = [row[name] for name in ("size_delivered", "time_total", "a", "b", "c", "d")]
    assert cells == ["-1", "-1.5", "-7", "-0.5", "true", "[-1]"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_csv_and_jsonl_tell_the_same_time(seconds: float) -> None:
    in_csv = float(csv_row(CsvRows(), time_total=seconds)["time_total"])
    in_jsonl = json.loads(JsonlRows().encode([record(time_total=seconds)]))["time_total"]
    assert in_csv == in_jsonl == seconds
    assert math.copysign(1, in_csv) == math.copysign(1, in_jsonl)


@given(st.dictionaries(st.sampled_from(["title", "a"]), json_values, max_size=2))
def test_a_csv_row_is_one_line_with_every_column(extra: dict[str, object]) -> None:
    rows = CsvRows(("title",))
    line = rows.encode([record(extra=extra)])
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    (cells,) = csv.reader([line.decode()])
    assert len(cells) == len(ROW_FIELDS) + 2


def test_a_csv_file_with_other_columns_is_distinguished_from_a_foreign_one() -> None:
    assert (
        CsvRows(("title",)).check_header(CsvRows().header)
        == "is a CSV output of fetchpool with other columns"
    )
    chosen = CsvRows(fields=("url", "error", "title")).header
    assert CsvRows().check_header(chosen) == "is a CSV output of fetchpool with other columns"
    assert CsvRows(("title",)).check_header(b"a,b\n") == "is not a CSV output of fetchpool"
    assert CsvRows(("title",)).check_header(CsvRows(("title",)).header) == ""
    assert CsvRows(("title",)).check_header(CsvRows(("title",)).header[:30]) == ""


def test_with_a_user_s_parser_the_columns_of_a_csv_file_are_adopted() -> None:
    existing = CsvRows(("title", "=a", "b")).header
    rows = CsvRows(("title",), parser_fields=("b", "c"))
    assert rows.check_header(existing) == ""
    assert rows.header == existing
    (cells,) = csv.reader([rows.encode([record(extra={"title": "t", "=a": 1, "c": 2})]).decode()])
    assert cells[-4:] == ["t", "1", "", '{"c":2}']
    for other in (CsvRows(("b",)).header, CsvRows(fields=("url", "title")).header, existing[:-4], b"\n"):
        rows = CsvRows(("title",), parser_fields=("b", "c"))
        assert "output of fetchpool" in rows.check_header(other)
        assert rows.header == CsvRows(("title", "b", "c")).header
