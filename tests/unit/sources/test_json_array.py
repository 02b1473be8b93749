"""JSON arrays, through the `Source` interface and element by element."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.model.errors import InputError
from fetchpool.sources.files import FileSource
from fetchpool.sources.json_array import element_lines
from fetchpool.sources.table_rows import TableOptions
from tests.unit.sources.test_files import Consumer, urls_of
from tests.unit.sources.test_tables import rows, write


def test_an_array_of_texts_is_a_list(tmp_path: Path) -> None:
    path = write(
        tmp_path / "list.json", b'\xef\xbb\xbf[\n  "http://a/1",\n  "http://a/2?x=\\"\\u00fc,]"\n]\n'
    )
    assert urls_of(FileSource([path])) == ["http://a/1", 'http://a/2?x="ü,]']
    [first, second] = Consumer(FileSource([write(tmp_path / "b", b'["http://a/", {"url": 1}]')])).rest()
    assert first.error is None
    assert (
        second.error_message == "the element is not a string; for objects, name the field with --url-column"
    )


def test_an_array_of_objects_is_a_table_with_nested_columns(tmp_path: Path) -> None:
    found = [
        {"page": {"url": "http://a/1", "n": 1}, "t": [{"x": "}]"}]},
        {"page": {"URL": "http://a/2"}},
        {"page": "none"},
    ]
    for name in ("list.json", "list", "list.jsonl"):
        path = write(tmp_path / name, json.dumps(found, indent=2))
        assert rows(path, "page.url") == [
            ("http://a/1", found[0]),
            ("http://a/2", found[1]),
            ("", found[2]),
        ]
    path = write(tmp_path / "lines.jsonl", "".join(f"{json.dumps(each)}\n" for each in found))
    assert [url for url, _ in rows(path, "Page.Url")] == ["http://a/1", "http://a/2", ""]
    flat = write(tmp_path / "flat.jsonl", '{"page.url":"http://a/","page":{"url":"http://b/"}}\n')
    assert [url for url, _ in rows(flat, "page.url")] == ["http://a/"]
    links = write(tmp_path / "links.jsonl", '{"links":[{"href":"http://a/"},{"href":"http://b/"}]}\n')
    assert [url for url, _ in rows(links, "links.1.href")] == ["http://b/"]


@pytest.mark.parametrize(
    ("data", "column", "words"),
    [
        ('[{"url":1}]', None, "is a JSON array of objects; name the field of its URLs with --url-column"),
        ('["http://a/"]', "url", "is a JSON array of strings, which has no columns; leave out --url-column"),
        ('[{"page":{"url":1}}]', "page.ulr", "it has: page, page.url; did you mean 'page.url'?"),
        ('[{"page":{"url":1}}]', "x", "it has: page, page.url"),
    ],
)
def test_an_array_that_has_no_such_urls_is_refused(
    tmp_path: Path, data: str, column: str | None, words: str
) -> None:
    path = write(tmp_path / "list.json", data)
    with pytest.raises(InputError) as refused:
        FileSource([path], None if column is None else TableOptions(column))
    assert str(refused.value).endswith(words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'["http://a/", "http://b', "the JSON array has no end; is the file complete?"),
        (b'["http://a/"]\nhttp://b/\n', "text after the end of the JSON array"),
    ],
)
def test_a_truncated_array_is_a_failure_and_its_readable_part_counts(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = write(tmp_path / "list.json", data)
    source = FileSource([path])
    assert [each.url for each in Consumer(source).rest()] == ["http://a/"]
    assert source.failure == f"{path}: {words}"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]))
def test_elements_are_those_of_the_array_however_its_bytes_are_split(
    found: list[Any], size: int, indent: int | None
) -> None:
    data = json.dumps(found, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    pieces = ((data[at : at + size], at + size) for at in range(0, len(data), size))
    lines = b"".join(chunk for chunk, _ in element_lines(pieces)).decode("utf-8", "surrogatepass")
    assert [json.loads(line) for line in lines.split("\n")[:-1]] == found


def test_memory_does_not_grow_with_the_array() -> None:
    def chunks() -> Iterator[tuple[bytes, int]]:
        yield b"[", 1
        for number in range(2_000):
            yield b'{"url":"http://a/","text":"%s"},' % (b"x" * 20_000), number

    tracemalloc.start()
    with pytest.raises(Exception, match="has no end"):
        for _ in element_lines(chunks()):  # type: ignore[arg-type]
            pass
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
