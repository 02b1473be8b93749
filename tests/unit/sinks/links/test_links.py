"""The outputs of links: the same links from every format, and exact ones after a resumed run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.link import Link, PageIds
from fetchpool.sinks.links.open import open_ids, open_links
from fetchpool.sinks.links.read import ids_path, links_format, pending_path, read_ids, read_links

NAMES = ("l.jsonl", "l.jsonl.gz", "l.csv", "l.csv.zst", "l.tsv", "l.sqlite", "l.parquet")
A, B = "http://h/a", "http://h/b"
LINKS = (
    Link(A, "http://h/c", "a", "href", None, False, True, None),
    Link(A, "http://h/c?q=1,2", "a", "href", "", False, True, None),
    Link(A, 'mailto:"x" ,y', "a", "href", None, False, False, "scheme"),
    Link(A, "=HYPERLINK(1)", "a", "href", None, False, False, "invalid"),
    Link(A, "http://h/d", "img", "src", "part-1", True, False, "nofollow"),
)


def on(page: str) -> list[Link]:
    return [Link(page, *(getattr(link, name) for name in Link.__struct_fields__[1:])) for link in LINKS]


def write(path: Path, links: list[Link]) -> None:
    sink = open_links(str(path))
    sink.write(links)
    sink.close()
    sink.sync()  # as sinks of rows do that are closed later
    sink.close()


def read(path: Path) -> list[Link]:
    return [link for batch in read_links(str(path), links_format("--links", str(path))) for link in batch]


@pytest.mark.parametrize("name", NAMES)
def test_links_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, on(A))
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert read(tmp_path / name) == on(A)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_flushed_is_there_after_a_kill(tmp_path: Path, name: str) -> None:
    sink = open_links(str(tmp_path / name))
    sink.write(on(A))
    sink.flush()
    assert read(tmp_path / name) == on(A)
    sink.sync()
    sink.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("was_closed", [True, False])
def test_a_resumed_run_has_the_links_of_every_page_once(tmp_path: Path, name: str, was_closed: bool) -> None:
    path = tmp_path / name
    killed = open_links(str(path))
    killed.write(on(A))
    killed.write(on(B))  # whose row was not written
    killed.flush()
    if was_closed:
        killed.close()
    again = open_links(str(path), lambda page: page == A)
    again.write(on(B)[:2])  # the page has changed
    again.close()
    assert read(path) == [*on(A), *on(B)[:2]]
    if not was_closed and name == "l.parquet":
        return
    killed.close()


@pytest.mark.parametrize("name", ["l.jsonl", "l.csv", "l.parquet"])
def test_a_line_that_a_kill_has_truncated_is_removed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    killed = open_links(str(path))
    killed.write(on(A))
    killed.flush()
    lines = Path(pending_path(str(path))) if name == "l.parquet" else path
    lines.write_bytes(lines.read_bytes()[:-20])
    again = open_links(str(path), lambda _: False)
    again.write(on(A))
    again.close()
    assert read(path) == on(A)


@pytest.mark.parametrize("name", NAMES)
def test_links_of_an_earlier_run_are_refused_without_resume(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, on(A))
    with pytest.raises(UsageError, match="has links of an earlier run; add --resume"):
        open_links(str(tmp_path / name))
    assert read(tmp_path / name) == on(A)


@pytest.mark.parametrize("name", ["l.jsonl", "l.csv", "l.sqlite"])
def test_another_file_is_refused_and_unchanged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"notes\n" * 30)
    with pytest.raises(UsageError, match=r"^--links: "):
        open_links(str(tmp_path / name), lambda _: True)
    assert (tmp_path / name).read_bytes() == b"notes\n" * 30


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("l.txt", r"name a \.jsonl, \.csv"),
        ("-", r"name a \.jsonl"),
        ("l.sqlite.gz", "can't be compressed; name l.sqlite"),
        ("none/l.jsonl", "create it: mkdir -p"),
    ],
)
def test_a_path_that_cannot_be_an_output_of_links_is_refused(
    tmp_path: Path, name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"^--links: .*{why}"):
        open_links(name)


def test_a_database_can_be_queried_with_the_documented_columns(tmp_path: Path) -> None:
    write(tmp_path / "l.sqlite", on(A))
    with closing(sqlite3.connect(tmp_path / "l.sqlite")) as database:
        found = database.execute('SELECT "to" FROM links WHERE "from" = ? AND reason = ?', (A, "nofollow"))
        assert found.fetchall() == [("http://h/d",)]


def test_a_full_database_is_an_output_error(tmp_path: Path) -> None:
    sink = open_links(str(tmp_path / "l.sqlite"))
    sink._connection.execute("PRAGMA max_page_count = 4")  # type: ignore[attr-defined]
    sink.write(on(A) * 900)
    with pytest.raises(OutputError, match=r"l\.sqlite: No space left on device"):
        sink.flush()
    sink.close()


def test_ids_of_pages_are_kept_like_links(tmp_path: Path) -> None:
    path = str(tmp_path / "l.jsonl")
    killed = open_ids(path)
    killed.write([PageIds(A, b"12345678"), PageIds(B, b"")])
    killed.flush()
    again = open_ids(path, lambda page: page == B)
    again.write([PageIds(A, b"abcdefgh")])
    again.close()
    killed.close()
    assert [ids for batch in read_ids(path) for ids in batch] == [
        PageIds(B, b""),
        PageIds(A, b"abcdefgh"),
    ]
    fresh = open_ids(path)  # its output of links is new
    fresh.close()
    assert Path(ids_path(path)).read_bytes() == b""
