"""Lists from other programs: exports, archives and pasted text: invalid URLs are reported, and never fetched
as different ones."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

import fetchpool
from fetchpool.model.record import ROW_FIELDS
from tests.cli import runner
from tests.faults.matrix import CURL, Way, fetch_urls, over_each_transport
from tests.faults.server import FaultServer


def rows_of(path: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return sorted(rows, key=lambda row: row["urlnum"])


@over_each_transport
def test_74_extra_text_in_a_line_is_reported_and_nothing_else_is_fetched(
    server: FaultServer, way: Way
) -> None:
    """A tab, a space, a comment, quotes, brackets, an invisible character: `invalid_url`, and `errormsg`
    names it and the fix. A lenient parser would drop or encode it, or read `http` as the host."""
    url = server.url("ok")
    expected = {
        f"{url}\tHome page": "tab",
        f"{url} 200": "space",
        f"{url} # the second": "space",
        f"{url}\u00a0x": "U+00A0",
        f"{url}\n{url}": "line break",
        f"\u200b{url}": "U+200B",
        f"\ufeff{url}": "U+FEFF",
        f"\u200d{url}": "U+200D",
        f"{url}\u2060": "U+2060",
        f'"{url}",': 'quotes (") around the URL and a trailing comma',
        f"'{url}',": "quotes (') around the URL and a trailing comma",
        f"\u201c{url}\u201d": "quotes (\u201c) around the URL",
        f"<{url}>": "angle brackets (<>) around the URL",
        f"{url},": "trailing comma",
        f"`{url}`": "quotes (`) around the URL",
        f"[home]({url})": "Markdown link",
        f"- [home]({url})": "Markdown link",
        f"* {url}": "list marker",
        f"1. {url}": "list marker",
        f"URL: {url}": "before the scheme",
        f"7;{url}": "before the scheme",
        f'{url}",': 'unmatched "',
        f"{url}>": "unmatched >",
        f"{url}\u201d": "unmatched \u201d",
        f"7,localhost:{server.port}": "comma",
        f'{{"url": "{url}"}}': "JSON",
    }
    records = fetch_urls(way, list(expected))
    for record, word in zip(records, expected.values(), strict=True):
        assert (record.error, record.exitcode) == ("invalid_url", 3), record
        assert record.errormsg is not None
        assert word in record.errormsg, record
    assert not server.received


def test_74_valid_characters_in_a_url_are_kept(server: FaultServer) -> None:
    """Quotes in pairs, commas, parentheses, a URL within the query, a joiner within a Persian word."""
    url = server.url("ok")
    kept = ["?q='x'", '?q="x"', "?a,b", "?a%2C", "?(a)", "?u=http://other/", "?\u0645\u06cc\u200c\u062e"]
    records = fetch_urls(CURL, [url + each for each in kept])
    assert [record.error for record in records] == [None] * len(kept)


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "1,example.org\n" * 50)
    return packed.getvalue()


def tarred() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("urls.txt"))
    return packed.getvalue()


NO_LISTS = {
    "top-1m.csv.zip": (zipped("top-1m.csv"), "ZIP"),
    "top-1m.csv": (zipped("top-1m.csv"), "ZIP"),
    "book.xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "spreadsheet"),
    "large.xlsx": (zipped("docProps/app.xml" + "l" * 5000), "spreadsheet"),
    "urls.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "spreadsheet"),
    "urls.txt.xz": (lzma.compress(b"http://h/\n"), "xz data"),
    "urls.txt.lzma": (lzma.compress(b"http://h/\n", lzma.FORMAT_ALONE), "lzma data"),
    "urls.txt.lz4": (b"\x04\x22\x4d\x18" + bytes(20), "LZ4"),
    "urls.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(20), "7z"),
    "urls.rar": (b"Rar!\x1a\x07" + bytes(20), "RAR"),
    "urls.tar": (tarred(), "tar archive"),
    "urls.tar.gz": (zlib.compress(tarred(), wbits=31), "tar archive"),
    "urls.tar.bz2": (bz2.compress(tarred()), "tar archive"),
    "urls.pdf": (b"%PDF-1.7\n", "PDF"),
    "page.html": (b"\xef\xbb\xbf<!DOCTYPE html>\n<title>Not found</title>", "HTML"),
    "sitemap.xml": (b'<?xml version="1.0"?>\n<urlset/>', "XML"),
    "parquet": (b"PAR1" + bytes(20), "Parquet"),
    "urls.json": (b'[\n {"url": "http://h/"}]', "--url-column"),
    "urls": (bytes(range(256)) * 20, "binary"),
    "urls.bin": (bytes(range(1, 256)) * 20, "binary"),
    "urls.bin.gz": (zlib.compress(bytes(range(256)) * 20, wbits=31), "binary"),
    "urls.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2", "binary"),
    "urls.elf": (b"\x7fELF\2\1\1" + bytes(9), "binary"),
}
BINARY = [name for name in NO_LISTS if name not in ("page.html", "sitemap.xml", "urls.json")]


@pytest.mark.parametrize("name", NO_LISTS)
def test_74_a_file_that_is_not_a_list_is_rejected_before_anything_is_fetched(
    tmp_path: Path, name: str
) -> None:
    """ZIP, xz, tar, 7z, spreadsheets, PDF, HTML, JSON objects, unknown binary data, also inside gzip: exit
    code 2, and one line that says what it is and how to convert it."""
    data, words = NO_LISTS[name]
    (tmp_path / name).write_bytes(data)
    done = runner.fetchpool(name, "-o", "rows.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert words in line.replace(name, "")
    assert ("binary" in line.replace(name, "")) == (name in BINARY)
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize("options", [(), ("--url-column", "url")])
@pytest.mark.parametrize("name", ["top-1m.csv", "urls.txt.xz", "urls.bin", "urls.png", "urls.tar.gz"])
def test_74_the_same_holds_for_a_pipe(tmp_path: Path, name: str, options: Sequence[str]) -> None:
    """The first bytes are checked: exit code 2, the same message, and no row."""
    data, words = NO_LISTS[name]
    done = runner.fetchpool("-", "-o", "rows.jsonl", *options, stdin=data, cwd=tmp_path)
    assert done.returncode == 2
    assert "standard input: is " in done.stderr
    assert words in done.stderr
    assert "binary" in done.stderr
    assert rows_of(tmp_path / "rows.jsonl") == []


def test_74_the_other_inputs_are_fetched_if_a_pipe_is_not_a_list(server: FaultServer, tmp_path: Path) -> None:
    """An error that is found during the run does not affect the other inputs; exit code 2."""
    (tmp_path / "urls.txt").write_text(server.url("ok"))
    done = runner.fetchpool(
        "-", "urls.txt", "-o", "rows.jsonl", stdin=NO_LISTS["top-1m.csv"][0], cwd=tmp_path
    )
    assert done.returncode == 2
    assert [row["error"] for row in rows_of(tmp_path / "rows.jsonl")] == [None]


@over_each_transport
def test_74_an_element_that_is_not_text_is_a_row_and_the_others_are_fetched(
    server: FaultServer, way: Way
) -> None:
    """None and NaN, which pandas has for a missing URL: each is an `invalid_url` row, and `errormsg` names
    the value."""
    elements = [server.url("ok?1"), None, float("nan"), None, server.url("ok?2")]
    options = {"executor": way.executor, "transport": way.transport}
    records = sorted(fetchpool.fetch(elements, **options), key=lambda record: record.urlnum)  # type: ignore[arg-type]
    assert [record.error for record in records] == [None, *["invalid_url"] * 3, None]
    assert [record.errormsg for record in records[1:4]] == [
        "expected a URL as str, got None",
        "expected a URL as str, got nan",
        "expected a URL as str, got None",
    ]


TABLES = {
    "rank,domain": ("1,{here}/1\n2,{here}/2\n", "2"),
    "a rank that is the place": ("2,{here}/1\n3,{here}/2\n", "2"),
    "a header, and a place": ("rank,domain\n1,{here}/1\n2,{here}/2\n", "2"),
    "a header of numbers": (",0,1,2\n0,a,b,{here}/1\n1,a,b,{here}/2\n", "2"),
    "the first URL as the name": ("1,{here}/1\n2,{here}/2\n", "{here}/1"),
    "semicolons": ('name;url;city\r\nA;http://{here}/1;K\r\nB;"http://{here}/2";B\r\n', "url"),
    "semicolons and a place": ("A;http://{here}/1;K\nB;http://{here}/2;B\n", "2"),
    "sep=;": ("\ufeffsep=;\r\nname;url\r\nA;http://{here}/1\r\nB;http://{here}/2\r\n", "url"),
    "tabs": ("http://{here}/1\tHome\nhttp://{here}/2\t12\n", "1"),
}


@pytest.mark.parametrize("by_pipe", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("name", TABLES)
def test_74_tables_without_a_header_or_with_semicolons_are_read(
    server: FaultServer, tmp_path: Path, name: str, by_pipe: bool
) -> None:
    """`--url-column 2` is the second column, and the first row is data unless it can't contain a URL; a
    column that is named `2` takes precedence. Semicolons and tabs are recognized if the requested column is
    found with them."""
    here = f"127.0.0.1:{server.port}"
    text, column = (each.replace("{here}", here) for each in TABLES[name])
    (tmp_path / "list.csv").write_bytes(text.encode())
    done = runner.fetchpool(
        *("-" if by_pipe else "list.csv", "--url-column", column, "--retry", "0", "-o", "rows.jsonl"),
        stdin=text if by_pipe else "",
        cwd=tmp_path,
    )
    assert done.returncode == 1, "the server has neither page"
    rows = rows_of(tmp_path / "rows.jsonl")
    assert [row["url_effective"] for row in rows] == [f"http://{here}/1", f"http://{here}/2"]


@pytest.mark.parametrize("column", ["3", "0", "name"])
def test_74_a_missing_column_is_rejected_with_the_names_of_the_others(tmp_path: Path, column: str) -> None:
    """By number as by name."""
    (tmp_path / "list.csv").write_text("1,example.org\n")
    done = runner.fetchpool("list.csv", "--url-column", column, cwd=tmp_path)
    assert done.returncode == 2
    assert f"has no column '{column}' (--url-column); it has: 1, example.org" in done.stderr


def test_74_a_csv_output_is_read_back_unchanged(server: FaultServer, tmp_path: Path) -> None:
    """The `'` that protects cells against spreadsheet formulas is removed from the URL and the kept columns.
    In other tables it stays."""
    url = server.url("ok")
    head = ",".join(ROW_FIELDS)
    row = dict.fromkeys(ROW_FIELDS, "") | {"urlnum": "0", "url": f"'-u:p@{url[7:]}", "content_type": "'=a"}
    cells = ",".join(row.values())
    (tmp_path / "old.csv").write_text(f"{head},note,extra\n{cells},'+1,\n")
    (tmp_path / "other.csv").write_text(f"url,note\n{url},'+1\n")
    for name, note in (("old.csv", "+1"), ("other.csv", "'+1")):
        options = ("--url-column", "url", "--keep-columns", "-o", f"{name}.jsonl")
        assert runner.fetchpool(name, *options, cwd=tmp_path).returncode == 0
        [found] = rows_of(tmp_path / f"{name}.jsonl")
        assert (found["url_effective"], found["note"]) == (url, note)
