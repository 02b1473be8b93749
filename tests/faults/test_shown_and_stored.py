"""What is shown and stored: nothing from a server or a list controls the terminal, is invisible, or is
executed."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from unicodedata import category
from urllib.parse import quote

import pyte

from tests.cli import runner
from tests.faults import ports
from tests.faults.matrix import Way, fetch_urls, over_each_transport
from tests.faults.scenarios.further import CONTROLS, HOSTILE
from tests.faults.server import FaultServer

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def unseen(text: str) -> set[str]:
    """The invisible characters in it, line ends aside."""
    return {char for char in text if category(char) in UNSEEN and char != "\n"}


@over_each_transport
def test_36_control_characters_from_servers_and_lists_are_escaped(server: FaultServer, way: Way) -> None:
    """ESC, OSC, C1, bidi controls and zero-width spaces in a URL, a reason phrase, a header or a title are
    written as `\\x1b` and the like before they are displayed or stored. Rich does not escape them. A URL with
    bidi controls or zero-width spaces is not fetched."""
    urls = [
        server.url("hostile-words"),
        server.url("hostile-words?404"),
        server.url("hostile-encoding"),
        server.url(f"ok?a{CONTROLS}b"),
        server.url(f"ok?{HOSTILE}"),
        f"http://[{HOSTILE}/",
        f"http://{HOSTILE}/",
    ]
    records = fetch_urls(way, urls, parse=["title"])
    for record in records:
        for value in record.to_dict().values():
            assert not isinstance(value, str) or not unseen(value), record
    assert [record.error for record in records[:4]] == [None, "http_404", None, None]
    assert {record.error for record in records[4:]} == {"invalid_url"}
    assert records[0].to_dict()["title"].startswith("a\\x1b[2J")
    assert "\\x1b" in (records[0].content_type or "")
    assert "?a\\x1b[2J" in records[3].url
    assert "\\u202e" in records[4].url


def test_36_they_reach_no_file_pipe_or_terminal(server: FaultServer, tmp_path: Path) -> None:
    """The same in every output, in the log, and on the live display, byte for byte."""
    urls = [server.url("hostile-words?500"), server.url(f"silence?{HOSTILE}"), f"http://[{HOSTILE}/"]
    (tmp_path / "urls.txt").write_text("\n".join([*urls, HOSTILE]))
    outputs = ("-o", "rows.jsonl", "-o", "rows.csv", "-o", "rows.txt", "-o", "-")
    hurried = ("--parse", "title", "-v", "--retry", "0", "--read-timeout", "500ms")
    done = runner.fetchpool("urls.txt", *outputs, *hurried, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    written = [(tmp_path / f"rows.{suffix}").read_text() for suffix in ("jsonl", "csv", "txt")]
    for text in (done.stdout, done.stderr, *written):
        assert not unseen(text)
        assert "u202e" in text
    with runner.Terminal(["urls.txt", *hurried], tmp_path) as terminal:
        terminal.wait()
        assert "\x1b]0" not in terminal.screen
        assert "\x1b[2J" not in terminal.screen
        assert not unseen(terminal.words.replace("\r", ""))
        assert "\\u202e" in terminal.words


def test_37_brackets_in_a_url_are_shown_as_they_are(server: FaultServer, tmp_path: Path) -> None:
    """`http://h/[/foo]`, `[red]`, `[bold` and `http://[::1]/y`: in rows, in the log, and on the display,
    whose library has a markup language that would remove them or raise an exception."""
    with ports.refused() as port:
        urls = [
            server.url("[/foo]"),
            server.url("[red]silence[/red]"),
            server.url("[bold"),
            server.url("a\\[b]"),
            server.url(":smile:"),
            f"http://[::1]:{port}/y",
        ]
        (tmp_path / "urls.txt").write_text("\n".join(urls))
        arguments = ["urls.txt", "-v", "--retry", "0", "-o"]
        done = runner.fetchpool(*arguments, "-", cwd=tmp_path)
        assert sorted(re.findall(r"url:<(.*)> error:", done.stdout)) == sorted(urls)
        assert all(url in done.stderr for url in urls)
        with runner.Terminal([*arguments, "rows.txt"], tmp_path) as terminal:
            terminal.wait()
            shown = re.sub(r"\s", "", terminal.words)
        assert all(url in shown for url in urls)
        assert "Traceback" not in terminal.words


def test_38_a_csv_cell_is_never_a_formula(server: FaultServer, tmp_path: Path) -> None:
    """A title, a URL or a header that starts with `=`, `+`, `-`, `@` or a full-width form of them is prefixed
    with `'`; numbers stay numbers."""
    formulas = ["=cmd|'/c calc'!A0", "+1", "-1+1", "@SUM(A1)", "\uff1d1+1", "\t=1", '=HYPERLINK("http://e")']
    urls = [server.url(f"title?{quote(formula)}") for formula in formulas]
    (tmp_path / "urls.txt").write_text("\n".join([*urls, *formulas]))
    runner.fetchpool("urls.txt", "-o", "rows.csv", "--parse", "title", "--retry", "0", cwd=tmp_path)
    with (tmp_path / "rows.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 2 * len(formulas)
    cells = [cell for row in rows for cell in row.values() if cell]
    runs = [cell for cell in cells if cell[0] in "=+-@\uff1d\t\r" and not re.fullmatch(r"-?[\d.]+", cell)]
    assert runs == []
    assert {f"'{formula.strip()}" for formula in formulas} <= set(cells), "as URLs of the list"
    assert {f"'{formula.strip()}" for formula in formulas} <= {row["title"] for row in rows}


def test_39_a_server_never_names_a_file(server: FaultServer, tmp_path: Path) -> None:
    """`Content-Disposition`, a path of `../../evil` or a redirect to one: the only file that is created is
    the output."""
    directory = tmp_path / "deep" / "er"
    directory.mkdir(parents=True)
    urls = [server.url(path) for path in ("attachment", "..%2F..%2Fevil", "%2e%2e/evil.txt", "ok")]
    (directory / "urls.txt").write_text("\n".join(urls))
    done = runner.fetchpool("urls.txt", cwd=directory)
    assert "4 rows to sizes.txt" in done.stderr
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"deep/er/urls.txt", "deep/er/sizes.txt"}


def test_36_the_display_leaves_the_terminal_unchanged(server: FaultServer, tmp_path: Path) -> None:
    """After a run, a terminal emulator that interprets everything written has its own title and colours, and
    shows the summary: no URL of the list had an effect."""
    (tmp_path / "urls.txt").write_text("\n".join(server.url(f"silence?{n}{HOSTILE}") for n in range(5)))
    with runner.Terminal(["urls.txt", "--retry", "0", "--read-timeout", "600ms"], tmp_path) as terminal:
        terminal.wait()
        written = terminal.screen
    screen = pyte.Screen(100, 30)
    pyte.Stream(screen).feed(written.replace("\n", "\r\n"))
    assert screen.title == ""
    assert any("5 URLs in " in line for line in screen.display)
