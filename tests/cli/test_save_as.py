"""`--save-as`: bodies under names that URLs give them, each in a file of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fetchpool as library
from fetchpool.config.configure import configure
from fetchpool.model.errors import UsageError
from tests.cli.runner import fetchpool
from tests.faults.matrix import Way, fetch_urls, in_every_way
from tests.faults.server import FaultServer, Peer, Received, scenario


@scenario("named")
def named(peer: Peer, received: Received) -> None:
    peer.respond(received.query.encode(), "Content-Type: text/plain")


@scenario("named/below")
def below(peer: Peer, _: Received) -> None:
    peer.respond(b"below", "Content-Type: text/plain")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def saved(directory: Path, *urls: str, name: str) -> list[dict[str, Any]]:
    (directory / "urls").write_text("".join(f"{url}\n" for url in urls))
    done = fetchpool(
        "urls", "-w", "1", "--save", "kept", "--save-as", name, "-o", "rows.jsonl", cwd=directory
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]
    return sorted(rows[-len(urls) :], key=lambda row: int(row["urlnum"]))


@in_every_way
def test_names_are_those_of_the_template(server: FaultServer, tmp_path: Path, way: Way) -> None:
    (tmp_path / "kept").mkdir()
    listed = [server.url(f"named?{number}") for number in range(5)]
    rows = fetch_urls(way, listed, save=tmp_path / "kept", save_as="{host}/{path}-{urlnum}.{ext}")
    host = f"127.0.0.1_{server.port}"
    assert contents(tmp_path / "kept") == {
        f"{host}/named_{number}-{number}.txt": str(number).encode() for number in range(5)
    }
    for number, row in enumerate(rows):
        assert Path(row.extra["filename_effective"]).read_bytes() == str(number).encode()


def test_bodies_of_the_same_name_are_kept_apart(server: FaultServer, tmp_path: Path) -> None:
    """A file is never replaced, also not by a later run."""
    first = saved(tmp_path, server.url("named?a"), server.url("named?b"), name="x.{ext}")
    again = saved(tmp_path, server.url("named?c"), server.url("named?a"), name="x.{ext}")
    files = contents(tmp_path / "kept")
    assert sorted(files.values()) == [b"a", b"b", b"c"]
    for row, body in zip([*first, *again], [b"a", b"b", b"c", b"a"], strict=True):
        assert (tmp_path / row["filename_effective"]).read_bytes() == body
    assert first[0]["filename_effective"] == again[1]["filename_effective"] == "kept/x.txt"


def test_a_file_in_place_of_a_directory_is_kept(server: FaultServer, tmp_path: Path) -> None:
    rows = saved(tmp_path, server.url("named?"), server.url("named/below"), name="{path}")
    assert [(tmp_path / row["filename_effective"]).read_bytes() for row in rows] == [b"", b"below"]
    assert contents(tmp_path / "kept") == {"named": b"", "named~/below": b"below"}


def test_no_link_is_followed(server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "named").symlink_to("../outside/file")
    (tmp_path / "kept" / "x").symlink_to("../outside")
    for name in ("x/{urlnum}", "x/{path}", "named/{urlnum}", "{path}"):
        saved(tmp_path, server.url("named/below"), name=name)
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_summary_counts_them(server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "urls").write_text(server.url("named?a"))
    done = fetchpool("urls", "--save", "kept", "--save-as", "{urlnum}", "-o", "rows.jsonl", cwd=tmp_path)
    assert "1 body to kept\n" in done.stderr


def test_a_program_names_them_too(server: FaultServer, tmp_path: Path) -> None:
    (row,) = library.fetch([server.url("named?a")], save=tmp_path, save_as="page-{urlnum}.{ext}")
    assert row.extra["filename_effective"] == str(tmp_path / "page-0.txt")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{hots}/{path}", "no {hots}"),
        ("", "expected a name such as"),
        ("page", "expected a name such as"),
        ("{host", "expected a name such as"),
        ("/{host}", "within the directory of --save"),
        ("../{host}", "within the directory of --save"),
        ("{host}/", "can't end in '/'"),
        ("{host}\n", "control characters"),
    ],
)
def test_other_templates_are_refused(template: str, problem: str) -> None:
    with pytest.raises(UsageError, match="--save-as") as refusal:
        configure(save="kept", save_as=template)
    assert problem in str(refusal.value)


def test_it_needs_a_directory() -> None:
    with pytest.raises(UsageError, match="--save-as needs --save DIR"):
        configure(save_as="{host}")
