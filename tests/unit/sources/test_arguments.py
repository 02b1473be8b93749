"""Which INPUT arguments are URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetchpool.model.errors import InputError
from fetchpool.sources.arguments import ArgumentInput
from fetchpool.sources.files import FileSource
from fetchpool.sources.table_rows import TableOptions
from tests.unit.sources.test_files import Consumer, urls_of, write

URLS = [
    "http://example.org/",
    "HTTPS://example.org/x.csv",
    "ftp://example.org/",
    "http://[::1",
    "example.org",
    "www.example.org/list.txt",
    "example.org:8080",
    "localhost",
    "localhost/page",
    "host:8080/x",
    "127.0.0.1",
    "[::1]:80/",
    "bücher.example",
    "xn--bcher-kva.example/?q=1",
    "name:secret@example.org/",
]
FILES = [
    "urls.txt",
    "urls",
    "list.csv.gz",
    "./example.org",
    "../example.org/x",
    "/x/example.org",
    "lists/a.org",
]
FILES += ["~/example.org", "urls.parquet", "1.5", "12", "top-1m.csv.zip", "a b.org", "urls.TXT", "x."]


@pytest.mark.parametrize("argument", URLS)
def test_a_url_is_read_next_to_files(tmp_path: Path, argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = write(Path("urls.txt"), b"http://a/1\n")
    source = FileSource([first, argument, first])
    assert urls_of(source) == ["http://a/1", argument, "http://a/1"]
    assert bool(source.notices) == ("://" not in argument)
    assert "secret" not in "".join(source.notices)
    assert source.bytes_read == source.bytes_total


@pytest.mark.parametrize("argument", FILES)
def test_what_looks_like_a_file_must_exist(
    tmp_path: Path, argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such file; check its name"):
        FileSource([argument])


def test_an_existing_file_is_a_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("example.org"), b"http://a/\n")
    assert urls_of(FileSource(["example.org"])) == ["http://a/"]
    Path("data.org").mkdir()
    with pytest.raises(InputError, match="no such file"):
        FileSource(["data.org/urls.org"])


def test_a_url_has_no_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", b"n,url\n1,http://a/\n")
    source = FileSource(["http://b/", path], TableOptions("url", keep=True))
    assert [(each.url, each.input_columns) for each in Consumer(source).rest()] == [
        ("http://b/", None),
        ("http://a/", {"n": "1"}),
    ]


def test_a_line_says_where_a_url_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the input and the number of the line, from 1, those included that hold no URL."""
    monkeypatch.chdir(tmp_path)
    write(Path("a.txt"), b"# list\r\nhttp://a/1\r\n\r\nhttp://a/2\rhttp://a/3\n\nhttp://a/4")
    write(Path("b.csv"), b'url,n\nhttp://b/1,"a\nb"\n\nhttp://b/2,\n')
    write(Path("c.csv"), b"1,http://c/1\n2,http://c/2\n")
    write(Path("d.jsonl"), b'{"url":"http://d/1"}\n\n{"url":"http://d/2"}\n')
    write(Path("e.json"), b'["http://e/1",\n"http://e/2"]')
    expected = {
        ("a.txt", None): ["a.txt:2", "a.txt:4", "a.txt:5", "a.txt:7"],
        ("b.csv", "url"): ["b.csv:2", "b.csv:5"],
        ("c.csv", "2"): ["c.csv:1", "c.csv:2"],
        ("d.jsonl", "url"): ["d.jsonl:1", "d.jsonl:3"],
        ("e.json", None): ["e.json:1", "e.json:2"],
        ("http://f/", None): ["argument:1"],
    }
    for (name, column), lines in expected.items():
        source = FileSource([name], None if column is None else TableOptions(column), with_line=True)
        requests = Consumer(source).rest()
        assert [each.input_columns for each in requests] == [{"line": line} for line in lines]
        assert all(each.weight > len(each.url) + 100 for each in requests)


@pytest.mark.parametrize("found", ["[1-3]", "[001-100:10]", "[a-z]", "{one,two}"])
def test_a_range_of_curls_is_said_to_be_part_of_the_url(found: str) -> None:
    notice = ArgumentInput(f"http://h.example/p{found}", 1).notice
    assert f"{found} is part of the URL" in notice


@pytest.mark.parametrize("url", ["http://[::1]/", "http://h.example/?a[0]=1", "http://h.example/{id}"])
def test_other_brackets_need_no_notice(url: str) -> None:
    assert ArgumentInput(url, 1).notice == ""
