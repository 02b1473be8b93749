"""The command at the end of a summary with failures, as a user would paste it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from tests.cli.runner import fetchpool

LABEL = "to retry the failures: "


def hint(stderr: str) -> str:
    """The text after the label; the label is that of the last line."""
    assert stderr.splitlines()[-1].startswith(LABEL), stderr
    return stderr.splitlines()[-1].removeprefix(LABEL)


def test_the_command_that_is_shown_tries_only_the_failures_again(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    flaky = demo_server.url(f"/flaky/1?{tmp_path.name}")
    (tmp_path / "my list.txt").write_text(f"{flaky}\n{demo_server.url('/bytes/1')}\n")
    done = fetchpool("my list.txt", "-o", "rows.jsonl", "--retry", "0", cwd=tmp_path)
    assert done.returncode == 1
    command = hint(done.stderr)
    assert command == "fetchpool 'my list.txt' -o rows.jsonl --retry 0 --retry-failed all"
    before = demo_server.requests
    again = fetchpool(*shlex.split(command)[1:], cwd=tmp_path)
    assert again.returncode == 0
    assert demo_server.requests == before + 1
    assert LABEL not in again.stderr


def test_what_failed_again_is_tried_with_the_same_command(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(demo_server.url("/status/404"))
    first = hint(fetchpool("urls.txt", cwd=tmp_path).stderr)
    second = hint(fetchpool(*shlex.split(first)[1:], cwd=tmp_path).stderr)
    assert second == first


def test_failures_that_the_command_would_not_retry_are_added(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("\n".join(map(demo_server.url, ("/status/404", "/status/410"))))
    fetchpool("urls.txt", cwd=tmp_path)
    partial = fetchpool("urls.txt", "--retry-failed", "http_404", cwd=tmp_path)
    command = hint(partial.stderr)
    assert command == "fetchpool urls.txt --retry-failed http_404 --retry-failed all"
    before = demo_server.requests
    assert hint(fetchpool(*shlex.split(command)[1:], cwd=tmp_path).stderr) == command
    assert demo_server.requests == before + 2


@pytest.mark.parametrize(
    "options",
    [("-u", "me:secret"), ("-H", "Authorization: secret"), ("-x", "http://me:secret@127.0.0.1:9")],
)
def test_a_secret_is_not_repeated(demo_server: DemoServer, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "urls.txt").write_text(demo_server.url("/status/404"))
    done = fetchpool("urls.txt", "--retry", "0", *options, cwd=tmp_path)
    assert "secret" not in done.stderr
    assert hint(done.stderr) == "run the same command with --retry-failed all"


@pytest.mark.parametrize("arguments", [(), ("-", "-o", "rows.jsonl")])
def test_failures_of_a_list_from_standard_input_are_read_from_the_output(
    demo_server: DemoServer, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    flaky = demo_server.url(f"/flaky/1?{tmp_path.name}")
    done = fetchpool(*arguments, "--retry", "0", stdin=flaky, cwd=tmp_path)
    command = hint(done.stderr)
    assert " - " not in command
    again = fetchpool(*shlex.split(command)[1:], cwd=tmp_path)
    assert again.returncode == 0
    assert "1 URL" in again.stderr


def test_a_list_with_standard_input_has_to_be_piped_in_again(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(demo_server.url("/bytes/1"))
    done = fetchpool("-", "urls.txt", stdin=demo_server.url("/status/404"), cwd=tmp_path)
    assert hint(done.stderr) == "run the same command with --retry-failed all"


def test_without_rows_to_read_back_there_is_no_command(demo_server: DemoServer, tmp_path: Path) -> None:
    done = fetchpool("-o", "-", stdin=demo_server.url("/status/404"), cwd=tmp_path)
    assert LABEL not in done.stderr
