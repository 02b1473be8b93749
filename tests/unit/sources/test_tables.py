"""Inputs with columns, and compressed ones, through the `Source` interface."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fetchpool.model.errors import InputError
from fetchpool.model.failures import FailureKind
from fetchpool.model.fingerprint import from_record_url, from_request
from fetchpool.model.request import FetchRequest
from fetchpool.sources.files import FileSource
from fetchpool.sources.table_rows import TableOptions
from tests.unit.sources.test_files import Consumer, urls_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and /dev/fd")

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    # With the checksum that zstd(1) adds by itself.
    "zst": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
}
CODEC = {"gz": "gzip", "bz2": "bzip2", "zst": "zstd"}


def frame_of(columns: dict[str, Any]) -> Any:
    """A frame of pandas, which takes half a second to import."""
    import pandas

    return pandas.DataFrame(columns)


def write(path: Path, data: bytes | str) -> str:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def requests_of(path: str, column: str = "url", *, keep: bool = True) -> list[FetchRequest]:
    source = FileSource([path], TableOptions(column, keep))
    requests = Consumer(source).rest()
    assert source.failure is None
    assert [each.urlnum for each in requests] == list(range(len(requests)))
    return requests


def rows(path: str, column: str = "url") -> list[tuple[str, Any]]:
    return [(each.url, each.input_columns) for each in requests_of(path, column)]


# Compressed


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("named", [True, False])
def test_compressed_lists_are_recognized_by_their_first_bytes(
    tmp_path: Path, suffix: str, named: bool
) -> None:
    compress = COMPRESS[suffix]
    data = compress(b"http://a/1\nhttp://a") + compress(b"/2\n") + compress(b"")
    path = write(tmp_path / (f"list.{suffix}" if named else "list"), data)
    assert urls_of(FileSource([path])) == ["http://a/1", "http://a/2"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_data_that_inflates_a_thousandfold_is_read_in_bounded_batches(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"list.{suffix}", COMPRESS[suffix](b"http://a/same\n" * 200_000))
    consumer = Consumer(FileSource([path]))
    assert len(consumer.rest(300_000)) == 200_000
    # Standing for the memory: the reader hands over a piece at a time.
    source = FileSource([path])
    assert max(len(batch.lines) for batch in source._inputs[0].batches()) < 10_000


@pytest.mark.parametrize("suffix", COMPRESS)
def test_truncated_or_damaged_data_gives_its_readable_part_and_is_reported(
    tmp_path: Path, suffix: str
) -> None:
    lines = b"".join(b"http://a/%s\n" % os.urandom(30).hex().encode() for _ in range(20_000))
    complete = COMPRESS[suffix](lines)
    cut = FileSource([write(tmp_path / f"cut.{suffix}", complete[:-2000])])
    assert 5_000 < len(Consumer(cut).rest()) < 20_000
    assert cut.failure == f"{tmp_path}/cut.{suffix}: truncated {CODEC[suffix]} data"
    damaged = bytearray(complete)
    damaged[len(complete) // 2 : len(complete) // 2 + 50] = bytes(50)
    source = FileSource([write(tmp_path / f"damaged.{suffix}", bytes(damaged))])
    assert len(Consumer(source).rest()) <= 20_000
    assert f"damaged.{suffix}: damaged {CODEC[suffix]} data" in (source.failure or "")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_name_that_claims_to_be_compressed_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"plain.{suffix}", b"http://a/\n")
    with pytest.raises(InputError, match=f"not a {CODEC[suffix]} file despite its suffix"):
        FileSource([path])


def test_a_list_that_begins_like_something_compressed_is_a_list(tmp_path: Path) -> None:
    hosts = ["BZh.example", "BZh9.example", "B", "http://a/"]
    assert urls_of(FileSource([write(tmp_path / "list", "\n".join(hosts))])) == hosts
    assert urls_of(FileSource([write(tmp_path / "short", "BZ")])) == ["BZ"]


# With columns


def test_csv_has_its_url_in_the_column_that_was_named(tmp_path: Path) -> None:
    text = '\ufeffid,link,"a, b",url\r\n1, http://a/1 ,"x ""y""\nz",q\r\n\r\n2,http://a/2\r\n3,,,\r\n'
    path = write(tmp_path / "list.csv", text)
    assert rows(path, "link") == [
        ("http://a/1", {"id": "1", "a, b": 'x "y"\nz', "input_url": "q"}),
        ("http://a/2", {"id": "2"}),
        ("", {"id": "3", "a, b": "", "input_url": ""}),
    ]
    last = requests_of(path, "link", keep=False)[-1]
    assert (last.error, last.input_columns) == (FailureKind.INVALID_URL, None)
    assert FileSource([path], TableOptions("link", True)).columns == ("id", "a, b", "input_url")


@pytest.mark.parametrize(
    ("name", "text"), [("list.tsv", "url\tn\nhttp://a/,1\tx\n"), ("list", "url\tn\nhttp://a/,1\tx")]
)
def test_tsv_and_tables_without_a_suffix_are_recognized_by_their_first_line(
    tmp_path: Path, name: str, text: str
) -> None:
    assert rows(write(tmp_path / name, text)) == [("http://a/,1", {"n": "x"})]
    assert rows(write(tmp_path / "c", "url,n\nhttp://a/,x\n")) == [("http://a/", {"n": "x"})]
    assert rows(write(tmp_path / "j", '{"n":1,"url":"http://a/"}\n')) == [("http://a/", {"n": 1})]


def test_jsonl_keeps_values_and_a_line_that_is_no_object_is_a_row(tmp_path: Path) -> None:
    lines = [
        '{"url":"http://a/1","n":1,"f":0.5,"none":null,"deep":{"k\\u001b":["\\u202e"]},"big":99999999999999999999}',
        "",
        '{"url":"http://a/2","sha256":"theirs","extra":true}',
        '{"no":"url"}',
        '{"url":null}',
        '{"url":7}',
        "not json",
        "[1]",
    ]
    path = write(tmp_path / "list.jsonl.gz", gzip.compress("\n".join(lines).encode()))
    first, second, *others = rows(path)
    deep = {"k\\x1b": ["\\u202e"]}
    assert first == (
        "http://a/1",
        {"n": 1, "f": 0.5, "none": None, "deep": deep, "big": "99999999999999999999"},
    )
    assert second == ("http://a/2", {"input_sha256": "theirs", "input_extra": True})
    assert [url for url, _ in others] == ["", "", "7", "not json", "[1]"]
    assert FileSource([path], TableOptions("url", True)).columns == ()


def test_a_line_of_jsonl_without_a_url_is_rejected_with_a_reason(tmp_path: Path) -> None:
    lines = ['{"no":"url"}', "localhost", '{"url":null}', '{"url":"http://a/"}', '"http://a/"', '{"url":""}']
    path = write(tmp_path / "list.jsonl", "\n".join(lines))
    consumer = Consumer(FileSource([path], TableOptions("url")))
    requests = consumer.take(1) + consumer.rest()
    lacks, no_object = "the line has no 'url'", "the line is not a JSON object"
    problems = [lacks, no_object, lacks, "", no_object, "empty URL"]
    assert [each.error_message for each in requests] == problems
    assert [each.error is None for each in requests] == [problem == "" for problem in problems]
    # A resumed run knows them by their rows.
    assert all(from_request(each) == from_record_url(each.url) for each in requests)


def test_jsonl_whose_first_lines_all_lack_the_column_is_refused_and_one_that_has_it_later_is_not(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "list.jsonl", '\n{"id":1,"link":"http://a/"}\nx\n{"n":2}\n')
    with pytest.raises(InputError) as refused:
        FileSource([path], TableOptions("url"))
    assert str(refused.value) == f"{path}: has no column 'url' (--url-column); it has: id, link, n"
    lines = ['{"id":1}', "x", '{"id":2,"url":"http://a/"}', '{"id":3}']
    assert len(requests_of(write(tmp_path / "sparse.jsonl", "\n".join(lines)))) == 4
    assert len(requests_of(write(tmp_path / "none.jsonl", "x\ny\n"))) == 2


def test_names_of_columns_are_never_empty_or_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "url,a,a,,error,a_2\nhttp://a/,1,2,3,4,5\n")
    expected = {"a": "1", "a_2": "2", "column_4": "3", "input_error": "4", "a_2_2": "5"}
    assert rows(path) == [("http://a/", expected)]


def test_parquet_values_are_converted_by_their_types(tmp_path: Path) -> None:
    path = str(tmp_path / "list.parquet")
    frame = {
        "link": ["http://a/1", None, "http://a/3"],
        "n": [1, 2, 3],
        "day": [date(2025, 1, 2)] * 3,
        "f": [0.5, float("nan"), 1.5],
        "text": ["\x1b", "b", "c"],
    }
    frame_of(frame).to_parquet(path)
    found = rows(path, "link")
    assert [url for url, _ in found] == ["http://a/1", "", "http://a/3"]
    assert found[0][1] == {"n": 1, "day": "2025-01-02", "f": 0.5, "text": "\\x1b"}
    assert found[1][1]["f"] is None
    assert json.dumps([columns for _, columns in found])
    assert FileSource([path], TableOptions("link", True)).columns == ("n", "day", "f", "text")
    assert requests_of(path, "link", keep=False)[0].input_columns is None


def test_a_large_parquet_is_read_in_bounded_batches(tmp_path: Path) -> None:
    path = str(tmp_path / "list.parquet")
    frame_of({"url": [f"http://a/{number}" for number in range(30_000)]}).to_parquet(path)
    source = FileSource([path], TableOptions("url"))
    assert max(len(batch.lines) for batch in source._inputs[0].batches()) <= 2_000
    source = FileSource([path], TableOptions("url"))
    assert len(Consumer(source).rest()) == 30_000
    assert source.bytes_read == source.bytes_total == Path(path).stat().st_size


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", "id,link\n1,http://a/\n", "has no column 'url' (--url-column); it has: id, link"),
        ("a.csv.gz", gzip.compress(b"x,y\n", mtime=0), "it has: x, y"),
        ("a.parquet", "not parquet", "not a readable Parquet file"),
        ("a.csv", "url," + "x" * (17 << 20), "a line of more than 16 MiB; is it a table?"),
        ("a.csv", "url,n\rhttp://a/,1\r", "line 1: a carriage return (CR) within the line; save it with LF"),
        ("a.csv", "\x7fELF\x02\0\0\r\0\n\0", "is binary"),
        (
            "a.csv",
            "url,n\0\nhttp://a/,1\n" + "http://a/,2\n" * 9,
            "not a CSV file: NUL bytes in the first line",
        ),
        ("a", b"SQLite format 3\0" + bytes(99), "is a SQLite database (binary); pipe its URLs in: sqlite3 "),
        ("a.csv", "x" * 5000 + "\n", "x…"),
        ("a.csv", '"url\nhttp://a/\n', "line 1: unterminated quoted field"),
    ],
    ids=[
        "column",
        "compressed",
        "parquet",
        "no line end",
        "CR",
        "binary",
        "NUL",
        "SQLite",
        "one long name",
        "quote",
    ],
)
def test_an_input_without_the_column_is_refused_before_the_run(
    tmp_path: Path, name: str, data: bytes | str, words: str
) -> None:
    with pytest.raises(InputError) as refused:
        FileSource([write(tmp_path / name, data)], TableOptions("url"))
    assert words in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)
    assert len(str(refused.value)) < 2000


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a"])
def test_an_empty_table_is_an_empty_list(tmp_path: Path, name: str) -> None:
    assert requests_of(write(tmp_path / name, "")) == []


def test_an_endless_cell_is_reported_and_the_rows_before_it_are_fetched(tmp_path: Path) -> None:
    text = 'url,n\nhttp://a/1,x\nhttp://a/2,"' + ("y" * 1000 + "\n") * 20_000
    source = FileSource([write(tmp_path / "a.csv", text)], TableOptions("url", True))
    assert [each.url for each in Consumer(source).rest()] == ["http://a/1"]
    assert source.failure == (
        f"{tmp_path}/a.csv: line 3: a cell of more than 16 MiB; is a quote in it not closed?"
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_an_unterminated_quote_is_reported_and_the_rows_before_it_are_fetched(
    tmp_path: Path, name: str
) -> None:
    text = 'url,n\nhttp://a/1,"x\ny"\n\nhttp://a/2,"x\nhttp://a/3,y\n' + "http://a/4,z\n" * 9999
    text = text.replace(",", "\t") if "tsv" in name else text
    data = gzip.compress(text.encode()) if name.endswith(".gz") else text
    source = FileSource([write(tmp_path / name, data)], TableOptions("url", True))
    requests = Consumer(source).rest()
    assert [(each.url, each.input_columns) for each in requests] == [("http://a/1", {"n": "x\ny"})]
    assert source.failure == f"{tmp_path}/{name}: line 5: unterminated quoted field; close the quote"


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_quoted_last_cell_is_no_open_quote_however_the_table_ends(tmp_path: Path, end: str) -> None:
    assert rows(write(tmp_path / "a.csv", f'n,url\n1,"http://a/"{end}')) == [("http://a/", {"n": "1"})]


def test_a_carriage_return_within_a_line_is_reported_and_the_rows_before_it_are_fetched(
    tmp_path: Path,
) -> None:
    text = 'url,n\r\nhttp://a/1,"x\ry"\r\n\r\nhttp://a/2,x\ry\r\nhttp://a/3,\r\n'
    source = FileSource([write(tmp_path / "a.csv", text)], TableOptions("url", True))
    requests = Consumer(source).rest()
    assert [(each.url, each.input_columns) for each in requests] == [("http://a/1", {"n": "x\ry"})]
    assert source.failure == (
        f"{tmp_path}/a.csv: line 4: a carriage return (CR) within the line; "
        "save it with LF line ends, or: tr '\\r' '\\n'"
    )


def test_a_pipe_that_stays_open_yields_its_first_row_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = FileSource([str(pipe)], TableOptions("url", True))
    consumer = Consumer(source)
    with pipe.open("wb", buffering=0) as writer:
        writer.write(b"url,n\nhttp://a/1,1\nhttp://a/2")
        assert [(each.url, each.input_columns) for each in consumer.take(10)] == [("http://a/1", {"n": "1"})]
        writer.write(b",2\n")
        assert [each.url for each in consumer.take(10)] == ["http://a/2"]
    assert consumer.rest() == []
    assert source.exhausted


@pytest.mark.parametrize(
    ("header", "column"),
    [("Id,URL", "url"), ("id, Url ", "URL"), ("URL,url", "url"), ("ID;Web Site;url", "web site")],
)
def test_the_case_of_a_columns_name_makes_no_difference(tmp_path: Path, header: str, column: str) -> None:
    delimiter = ";" if ";" in header else ","
    names = header.split(delimiter)
    place = names.index(column) if column in names else 1
    cells = ["x"] * len(names)
    cells[place] = "http://a/"
    path = write(tmp_path / "list.csv", f"{header}\n{delimiter.join(cells)}\n")
    assert [url for url, _ in rows(path, column)] == ["http://a/"]
    lines = write(tmp_path / "list.jsonl", f"{json.dumps(dict(zip(names, cells, strict=True)))}\n")
    assert [url for url, _ in rows(lines, column)] == ["http://a/"]


def test_a_name_with_two_spellings_is_none_of_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no column 'url'"):
        FileSource([write(tmp_path / "list.csv", "URL,Url\nhttp://a/,http://b/\n")], TableOptions("url"))


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_a_misspelt_column_gets_a_suggestion(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frame = frame_of({"Id": [1], "Website": ["http://a/"]})
    if name.endswith("csv"):
        frame.to_csv(path, index=False)
    elif name.endswith("jsonl"):
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    with pytest.raises(InputError) as refused:
        FileSource([str(path)], TableOptions("webiste"))
    assert str(refused.value).endswith("it has: Id, Website; did you mean 'Website'?")


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "sep={}\r\n"])
def test_a_delimiter_is_recognized_also_if_the_column_is_misspelt(
    tmp_path: Path, sign: str, start: str
) -> None:
    lines = [["n", "link"], ["1", "http://a/"]]
    text = start.format(sign) + "\r\n".join(map(sign.join, lines))
    path = write(tmp_path / "list.csv", text)
    assert rows(path, "Link") == [("http://a/", {"n": "1"})]
    with pytest.raises(InputError, match=r"it has: n, link; did you mean 'link'\?"):
        FileSource([path], TableOptions("lnik"))


def test_a_named_delimiter_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "a,b^url\nx,y^http://a/\n")
    source = FileSource([path], TableOptions("url", keep=True, delimiter="^"))
    requests = Consumer(source).rest()
    assert [(each.url, each.input_columns) for each in requests] == [("http://a/", {"a,b": "x,y"})]
    with pytest.raises(InputError, match="has no column 'url'"):
        FileSource([path], TableOptions("url", delimiter=","))


def test_line_breaks_and_tabs_in_cells_are_kept(tmp_path: Path) -> None:
    text = "two\r\nlines\tand\x1b[1m"
    shown = "two\r\nlines\tand\\x1b[1m"
    frame = frame_of({"url": ["http://a/"], "text": [text]})
    frame.to_csv(tmp_path / "list.csv", index=False)
    frame.to_json(tmp_path / "list.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "list.parquet")
    for name in ("list.csv", "list.jsonl", "list.parquet"):
        assert rows(str(tmp_path / name)) == [("http://a/", {"text": shown})]
