"""`--save` and `--hash`: bodies named by their content, complete or absent."""

from __future__ import annotations

import csv
import hashlib
import json
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fetchpool.cli.demo_server.pages import content, text
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.sinks.bodies import extension
from fetchpool.sinks.spool import PREFIX, SpoolDirectory
from tests.cli.environment import UNCOMPILED, environment
from tests.cli.runner import FETCHPOOL, fetchpool, peak_memory, run, start
from tests.faults.matrix import Way, in_every_way
from tests.faults.server import FaultServer, Peer, Received, scenario


@scenario("typed")
def typed(peer: Peer, received: Received) -> None:
    peer.respond(b"of a type", f"Content-Type: {received.query}")


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def save(directory: Path, *urls: str, code: int = 0, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The rows of a run over these URLs that keeps bodies in `kept`, in their order."""
    (directory / "urls.txt").write_text("".join(f"{url}\n" for url in urls))
    output = directory / "rows.jsonl"
    output.unlink(missing_ok=True)
    done = fetchpool("urls.txt", "-o", output.name, "--save", "kept", "--retry", "0", *options, cwd=directory)
    assert done.returncode == code, done.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    return sorted(rows, key=lambda row: int(row["urlnum"]))


def files(directory: Path) -> list[str]:
    """Every file below a directory, hidden ones too."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


@in_every_way
def test_a_body_is_kept_decoded_under_the_name_of_its_content(
    demo_server: DemoServer, tmp_path: Path, way: Way
) -> None:
    ways = ("--executor", way.executor, "--transport", way.transport)
    paths = ["/bytes/5000", "/gzip/9000", "/bytes/0", "/bytes/400000", "/redirect/1", "/bytes/1024"]
    rows = save(tmp_path, *[demo_server.url(path) for path in paths], options=ways)
    bodies = [content(5000), text(9000), b"", content(400_000), content(1024), content(1024)]
    for row, body in zip(rows, bodies, strict=True):
        sha256 = hashlib.sha256(body).hexdigest()
        suffix = "txt" if row["content_type"].startswith("text/plain") else "bin"
        assert row["error"] is None
        assert row["sha256"] == sha256
        assert row["filename_effective"] == f"kept/{sha256[:2]}/{sha256[2:4]}/{sha256}.{suffix}"
        assert (tmp_path / row["filename_effective"]).read_bytes() == body
    assert len(files(tmp_path / "kept")) == 5  # the last two are one
    again = save(tmp_path, *[demo_server.url(path) for path in paths], options=ways)
    assert [row["filename_effective"] for row in again] == [row["filename_effective"] for row in rows]
    assert len(files(tmp_path / "kept")) == 5


def test_only_complete_bodies_are_saved(faults: FaultServer, tmp_path: Path) -> None:
    paths = ["short-body", "no-such-scenario", "gzip-cut", "ok"]
    rows = save(tmp_path, *[faults.url(path) for path in paths], code=1)
    failed, page = rows[:-1], rows[-1]
    assert [row["error"] for row in failed] == ["truncated", "http_404", "truncated"]
    assert not any("sha256" in row or "filename_effective" in row for row in failed)
    assert files(tmp_path) == ["kept" + page["filename_effective"][4:], "rows.jsonl", "urls.txt"]
    head = save(tmp_path, faults.url("ok"), options=("--head",))
    assert "sha256" not in head[0]


HOSTILE = ("text/../../../etc/passwd", "image/svg+xml/x", "a/b.exe", "application/x-msdownload", "%00", "/")


def test_39_the_extension_is_from_a_fixed_table_and_never_the_servers(
    faults: FaultServer, tmp_path: Path
) -> None:
    """Names of saved bodies are ours: hash and table; whatever the server calls its type, no traversal."""
    types = {
        "text/html": "html",
        "TEXT/HTML;charset=x": "html",
        "image/jpeg": "jpg",
        **dict.fromkeys(HOSTILE, "bin"),
    }
    rows = save(tmp_path, *[faults.url(f"typed?{each}") for each in types])
    assert [row["filename_effective"].partition(".")[2] for row in rows] == list(types.values())
    assert len(files(tmp_path / "kept")) == 3
    assert extension(None) == "bin"


def test_39_no_link_within_the_directory_is_followed(demo_server: DemoServer, tmp_path: Path) -> None:
    """A link where a directory should be ends the run; one under the body's own name is replaced."""
    sha256 = hashlib.sha256(content(7)).hexdigest()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = tmp_path / "kept"
    (kept / sha256[:2] / sha256[2:4]).mkdir(parents=True)
    precious = elsewhere / "precious"
    precious.write_bytes(b"7 bytes")
    name = kept / sha256[:2] / sha256[2:4] / f"{sha256}.bin"
    name.symlink_to(precious)
    save(tmp_path, demo_server.url("/bytes/7"))
    assert (name.is_symlink(), name.read_bytes(), precious.read_bytes()) == (False, content(7), b"7 bytes")

    name.unlink()
    (kept / sha256[:2] / sha256[2:4]).rmdir()
    (kept / sha256[:2] / sha256[2:4]).symlink_to(elsewhere)
    done = fetchpool("urls.txt", "--save", "kept", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("fetchpool: kept: can't save a body: ")
    assert files(elsewhere) == ["precious"]


@in_every_way
def test_43_a_full_disk_ends_the_run_in_words_with_exit_code_3(
    demo_server: DemoServer, tmp_path: Path, way: Way
) -> None:
    """No part of a body is left, and its URL has no row: a resumed run fetches it."""
    (tmp_path / "urls.txt").write_text(f"{demo_server.url('/bytes/600000')}\n")
    command = [
        *FETCHPOOL,
        "urls.txt",
        "--save",
        "kept",
        "--executor",
        way.executor,
        "--transport",
        way.transport,
    ]
    done = run(
        command,
        cwd=tmp_path,
        env=environment(UNCOMPILED),
        capture_output=True,
        text=True,
        # A limit on a file's size stands for the disk's end.
        limits={resource.RLIMIT_FSIZE: (300_000, 300_000)},
    )
    assert done.returncode == 3, done.stderr
    words = "fetchpool: kept: can't save a body: File too large; free some space, or choose another --save"
    assert done.stderr.splitlines()[-1] == f"{words}; to continue, run the same command with --resume"
    assert files(tmp_path / "kept") == []
    assert not (tmp_path / "sizes.txt").read_text()


def test_leftovers_of_a_killed_run_are_removed_by_the_next_one(
    demo_server: DemoServer, faults: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "urls.txt").write_text(f"{faults.url('trickle')}\n")
    with start("urls.txt", "--save", "kept", "-o", "rows", cwd=tmp_path) as killed:
        while not list(tmp_path.glob(f"kept/{PREFIX}*")):
            assert killed.poll() is None
        killed.send_signal(signal.SIGKILL)
    left = next(tmp_path.glob(f"kept/{PREFIX}*"))
    (left / "1-0").write_bytes(b"half a bo")
    living = SpoolDirectory(str(tmp_path / "kept"), "save")
    (row,) = save(tmp_path, demo_server.url("/bytes/10"))
    assert not left.exists()
    assert Path(living.path).exists()  # another run's, and that one goes on
    living.close()
    assert files(tmp_path / "kept") == [row["filename_effective"][5:]]
    assert not list(tmp_path.glob(f"kept/{PREFIX}*"))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory there was")
@pytest.mark.parametrize("executor", ["thread", "async"])
def test_memory_does_not_grow_with_the_body(demo_server: DemoServer, tmp_path: Path, executor: str) -> None:
    def peak(body: int) -> int:
        (tmp_path / "urls.txt").write_text(f"{demo_server.url(f'/bytes/{body}')}\n")
        return peak_memory(
            "urls.txt", "-o", f"{body}.txt", "--save", "kept", "-q", "--executor", executor, cwd=tmp_path
        )

    assert peak(100_000_000) - peak(1_000_000) < 25_000_000


def test_the_summary_has_the_number_of_saved_bodies_and_the_directory(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    paths = ("/bytes/7", "/bytes/7?again", "/status/404")
    (tmp_path / "urls.txt").write_text("".join(f"{demo_server.url(path)}\n" for path in paths))
    done = fetchpool("urls.txt", "--save", "kept", cwd=tmp_path)
    assert "\nsaved    2 bodies to kept (deduplicated)\n" in done.stderr
    assert "fetchpool: text output lacks the fields of --save" in done.stderr


def test_a_hash_alone_keeps_nothing_and_has_its_column(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(f"{demo_server.url('/bytes/10')}\n{demo_server.url('/status/404')}\n")
    done = fetchpool("urls.txt", "--hash", "sha256", "-o", "rows.csv", "--parse", "title", cwd=tmp_path)
    assert done.returncode == 1
    with (tmp_path / "rows.csv").open() as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: row["urlnum"])
    assert [row["sha256"] for row in rows] == [hashlib.sha256(content(10)).hexdigest(), ""]
    assert files(tmp_path) == ["rows.csv", "urls.txt"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--save", ""), "--save: expected a directory, got an empty string"),
        (("--save", "urls.txt"), "--save: urls.txt: is not a directory; choose another one"),
        (("--save", "no/such"), "--save: no/such: directory no does not exist; create it: mkdir -p 'no'"),
        pytest.param(
            ("--save", "/proc/new"),
            "--save: /proc/new: can't be used (No such file or directory)",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc exists and takes no directory"),
        ),
        (("--hash", "md5"), "--hash: 'md5' is not supported; use sha256"),
    ],
)
def test_invalid_options_are_refused(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:1/\n")
    done = fetchpool("urls.txt", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
