"""The live display on a terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

from fetchpool.cli.demo_server.server import DemoServer
from tests.at_once import AtOnce
from tests.cli.runner import FETCHPOOL, Terminal
from tests.faults.scenarios import further  # noqa: F401 - registers `busy`
from tests.faults.server import FaultServer

waiting = AtOnce(server=DemoServer, faults=FaultServer)


def write_list(server: DemoServer, directory: Path) -> None:
    urls = [server.url(f"/delay/300?{place}") for place in range(6)]
    (directory / "urls.txt").write_text("\n".join([*urls, server.url("/status/404")]))


@waiting
def test_the_display_is_live_and_the_summary_stays(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "-w", "2"], tmp_path) as terminal:
        terminal.wait_for("2 in flight")
        assert terminal.wait() == 1
        assert "7 URLs in " in terminal.words
        assert "6 ok, 1 failed" in terminal.words
        assert "1 http_404" in terminal.words
        assert "7 rows to sizes.txt" in terminal.words
        assert terminal.screen.count("\x1b[?25l") <= terminal.screen.count("\x1b[?25h"), "the cursor is back"


@waiting
def test_plain_progress_moves_no_cursor(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "--progress", "plain"], tmp_path) as terminal:
        assert terminal.wait() == 1
        assert "7 URLs in " in terminal.words
        assert "\x1b[?25l" not in terminal.screen


@waiting
def test_a_bar_that_is_asked_for_is_shown_while_rows_go_to_a_pipe(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    reader, writer = os.pipe()
    with Terminal(
        ["urls.txt", "-w", "2", "-o", "-", "--progress", "bar"], tmp_path, stdout=writer
    ) as terminal:
        os.close(writer)
        terminal.wait_for("2 in flight")
        assert terminal.wait() == 1
    with open(reader) as rows:  # noqa: PTH123 - a descriptor
        assert len(rows.readlines()) == 7


@waiting
def test_progress_as_json_is_json_on_a_terminal_as_well(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "--progress", "json"], tmp_path) as terminal:
        assert terminal.wait() == 1
        assert all(json.loads(line) for line in terminal.screen.splitlines())


@waiting
def test_a_pause_that_a_host_asked_for_is_explained_while_it_lasts(
    faults: FaultServer, tmp_path: Path
) -> None:
    urls = [faults.url("busy?429,60"), *(faults.url(f"busy?429,60&{number}") for number in range(3))]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    with Terminal(["urls.txt", "-w", "1", "--retry", "0"], tmp_path) as terminal:
        terminal.wait_for("3 waiting: 127.0.0.1 asked for a pause (429), again in 0:5")


@waiting
def test_the_last_requests_have_a_limit_and_no_estimate(server: DemoServer, tmp_path: Path) -> None:
    urls = [server.url("/bytes/1"), *(server.url(f"/delay/30000?{n}") for n in range(3))]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    with Terminal(["urls.txt", "-m", "70"], tmp_path) as terminal:
        terminal.wait_for("waiting for the last 3 (up to 1:0")


@waiting
def test_ctrl_z_gives_the_shell_its_cursor_and_fg_continues(server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("\n".join(server.url(f"/delay/1500?{n}") for n in range(2)))
    shell = ("bash", "--norc", "--noprofile", "--noediting", "-i")
    with Terminal([], tmp_path, command=shell) as terminal:
        terminal.press(f"{' '.join(FETCHPOOL)} urls.txt -w 1; exit $?\n")
        terminal.wait_for("1 in flight")
        terminal.press("\x1a")
        terminal.wait_for("Stopped")
        before, _, _ = terminal.screen.partition("Stopped")
        assert before.rindex("\x1b[?25h") > before.rindex("\x1b[?25l")
        terminal.press("fg; exit $?\n")
        terminal.wait_for("2 URLs in ")
        _, _, after = terminal.screen.partition("Stopped")
        assert "\x1b[?25l" in after
        assert after.rindex("\x1b[?25h") > after.rindex("\x1b[?25l")


@waiting
def test_no_color_is_honoured_and_the_display_stays_live(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "-w", "2"], tmp_path, env={"NO_COLOR": "1"}) as terminal:
        assert terminal.wait() == 1
        assert "in flight" in terminal.words
        assert "\x1b[31m" not in terminal.screen
        assert "\x1b[32m" not in terminal.screen


@waiting
def test_no_progress_leaves_the_summary_alone(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "--no-progress"], tmp_path) as terminal:
        assert terminal.wait() == 1
        assert terminal.words.startswith("7 URLs in ")


@waiting
def test_quiet_prints_nothing(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "-q"], tmp_path) as terminal:
        assert terminal.wait() == 1
        assert terminal.screen == ""


@waiting
def test_rows_on_the_terminal_and_the_display_dont_mix(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt", "-o", "-"], tmp_path) as terminal:
        assert terminal.wait() == 1
        assert "\x1b[?25l" not in terminal.screen, "a display hides the cursor"
        assert terminal.words.splitlines()[0].startswith("url:<")
        assert terminal.words.count("url:<") == 7


@waiting
def test_rows_into_a_file_leave_the_terminal_to_the_display(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with (
        (tmp_path / "rows").open("wb") as rows,
        Terminal(["urls.txt", "-w", "2", "-o", "-"], tmp_path, stdout=rows.fileno()) as terminal,
    ):
        terminal.wait_for("2 in flight")
        assert terminal.wait() == 1
        assert "url:<" not in terminal.words
        assert "7 rows to standard output" in terminal.words
    assert len((tmp_path / "rows").read_text().splitlines()) == 7


@waiting
def test_the_reader_of_a_pipe_prints_its_rows_undisturbed(server: DemoServer, tmp_path: Path) -> None:
    """`fetchpool urls.txt -o - | cat`: the rows come up on the terminal where a display would be."""
    write_list(server, tmp_path)
    reader, writer = os.pipe()
    with Terminal(["urls.txt", "-w", "2", "-o", "-"], tmp_path, stdout=writer) as terminal:
        os.close(writer)
        assert terminal.wait() == 1
        assert "in flight" not in terminal.words
        assert "\x1b[?25l" not in terminal.screen
        assert "\x1b[2K" not in terminal.screen
        assert terminal.words.startswith("7 URLs in ")
        assert "7 rows to standard output" in terminal.words
    with os.fdopen(reader) as rows:
        assert len(rows.readlines()) == 7


@waiting
def test_a_dumb_terminal_gets_plain_lines(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path)
    with Terminal(["urls.txt"], tmp_path, env={"TERM": "dumb"}) as terminal:
        assert terminal.wait() == 1
        assert "\x1b" not in terminal.screen
        assert "7 URLs in " in terminal.words


@waiting
def test_a_list_typed_in_is_fetched_as_it_is_typed(server: DemoServer, tmp_path: Path) -> None:
    with Terminal(["-", "-o", "-"], tmp_path) as terminal:
        terminal.press(f"{server.url('/bytes/11')}\n")
        terminal.wait_for("size:[11]")
        terminal.press("\x04")
        assert terminal.wait() == 0


@waiting
def test_a_pipe_is_read_though_the_screen_is_a_terminal(server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(server.url("/bytes/12"))
    with (tmp_path / "urls.txt").open("rb") as urls, Terminal([], tmp_path, stdin=urls.fileno()) as terminal:
        assert terminal.wait() == 0
    assert "size:[12]" in (tmp_path / "sizes.txt").read_text()
