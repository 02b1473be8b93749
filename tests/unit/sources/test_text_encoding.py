"""Encodings of inputs, through the `Source` interface: recognized, or named."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.model.errors import InputError
from fetchpool.sources.files import FileSource
from fetchpool.sources.table_rows import TableOptions
from fetchpool.sources.text_encoding import is_binary, recognized, to_utf8
from tests.unit.sources.test_files import Consumer, urls_of, write
from tests.unit.sources.test_tables import rows

LIST = "# Städte\r\nhttp://a/1\r\nhttp://bücher.example/\r\n"
URLS = ["http://a/1", "http://bücher.example/"]


@pytest.mark.parametrize(
    "data",
    [
        LIST.encode(),
        LIST.encode("utf-8-sig"),
        LIST.encode("utf-16"),
        codecs.BOM_UTF16_BE + LIST.encode("utf-16-be"),
        LIST.encode("utf-16-le"),
        LIST.encode("utf-16-be"),
        LIST.encode("utf-32"),
    ],
    ids=range(7),
)
def test_a_list_in_any_unicode_encoding_is_read(tmp_path: Path, data: bytes) -> None:
    source = FileSource([write(tmp_path / "list.txt", data)])
    assert urls_of(source) == URLS
    found = [notice for notice in source.notices if "UTF-" in notice]
    assert bool(found) is (data[:8] != LIST.encode()[:8] and not data.startswith(codecs.BOM_UTF8)), (
        "said once"
    )
    assert len(found) <= 1


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437", "utf-16-le", "utf-8"])
def test_a_named_encoding_is_used(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "list.txt", LIST.encode(encoding))
    assert urls_of(FileSource([path], encoding=encoding)) == URLS


def test_a_list_that_is_not_in_the_named_encoding_is_a_failure_with_the_fix(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", "http://a/\n".encode("utf-16-le") + b"\0")
    source = FileSource([path], encoding="utf-16-le")
    assert [each.url for each in Consumer(source).rest()] == ["http://a/"]
    assert source.failure == f"{path}: is not valid UTF-16-LE (truncated data); name its --encoding"


TABLE = "Stadt;URL;Preis\r\nMünchen;http://a/;5 €\r\nKöln;http://bücher.example/é;„x“\r\n"
CELLS = [
    ("http://a/", {"Stadt": "München", "Preis": "5 €"}),
    ("http://bücher.example/é", {"Stadt": "Köln", "Preis": "„x“"}),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_table_is_read_in_the_encodings_of_spreadsheets(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "list.csv", TABLE.encode(encoding))
    assert rows(path) == CELLS
    source = FileSource([path], TableOptions("url"))
    Consumer(source).rest()
    guessed = "line 2 is not UTF-8; reading such lines as Windows-1252 (cp1252)"
    expected = {"cp1252": guessed, "utf-16": "read as UTF-16", "utf-16-le": "read as UTF-16-LE"}
    said = expected.get(encoding)
    assert source.notices == ([f"{path}: {said}; --encoding sets another"] if said else [])


def test_each_line_of_a_table_has_its_own_encoding(tmp_path: Path) -> None:
    """Two exports that were appended; a byte that neither encoding has stays an invalid URL."""
    lines = [b"name,url", "ä,http://a/é".encode(), "ä,http://b/é".encode("latin-1"), b"x,http://c/\x81"]
    found = rows(write(tmp_path / "list.csv", b"\n".join(lines)))
    assert found == [
        ("http://a/é", {"name": "ä"}),
        ("http://b/é", {"name": "ä"}),
        ("http://c/\udc81", {"name": "x"}),
    ]


def test_a_named_encoding_leaves_nothing_to_guess(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "name,url\nß,http://a/\n".encode("cp850"))
    for encoding, name in (("cp850", "ß"), ("utf-8", "\\udce1")):
        options = TableOptions("url", keep=True, guess_encoding=False)
        source = FileSource([path], options, encoding=encoding)
        assert [each.input_columns for each in Consumer(source).rest()] == [{"name": name}]
        assert source.notices == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        bytes(range(256)),
        bytes(range(1, 256)),
        b"\0" * 40,
        b"\x01\x02\x03\x04",
    ],
    ids=range(5),
)
def test_binary_data_is_no_list(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match="is binary"):
        FileSource([write(tmp_path / "list.txt", data)])


@pytest.mark.parametrize("data", [b"", b"http://a/\0\n" * 1, "Ä\n".encode("latin-1"), b"http://a/\x1b[31m\n"])
def test_text_is_not_binary(data: bytes) -> None:
    assert not is_binary(data + b"http://a/index.html\n")


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50),
    st.sampled_from(["utf-16", "utf-32"]),
    st.lists(st.integers(1, 9), max_size=20),
)
def test_chunks_make_no_difference(text: str, encoding: str, sizes: list[int]) -> None:
    data = text.encode(encoding)
    chunks, at = [(data[:4], 4)], 4
    for size in [*sizes, len(data)]:
        chunks.append((data[at : at + size], at + size))
        at += size
    assert recognized(data) == encoding
    assert b"".join(chunk for chunk, _ in to_utf8(iter(chunks), "")) == text.encode()  # type: ignore[arg-type]
