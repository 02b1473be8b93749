"""The help is the truth, and its copies in the documents are compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from fetchpool.cli import options
from fetchpool.cli.commands import app
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.config import configure
from tests.cli.runner import ROOT, Terminal, fetchpool

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group


@pytest.mark.parametrize("command", ["run", "demo", "compact"])
def test_every_option_is_in_the_help_with_words_of_its_own(command: str) -> None:
    shown = fetchpool(command, "--help", env={"COLUMNS": "100"}).stdout
    for param in COMMANDS[command].params:
        for name in param.opts if param.param_type_name == "option" else [param.metavar]:
            assert name in shown
        assert param.help
        assert param.help[:20] in " ".join(shown.split())


def test_the_help_of_the_whole_is_that_of_run_and_lists_the_commands() -> None:
    whole = fetchpool("--help").stdout
    assert whole == fetchpool("run", "-h").stdout
    assert whole.startswith("Usage: fetchpool [OPTIONS] [INPUT]...\n")
    for command in COMMANDS:
        assert f"\n  {command} " in whole


@pytest.mark.parametrize("columns", ["60", "80", "100", "200"])
def test_the_help_fits_the_screen_and_is_plain_text(columns: str) -> None:
    shown = fetchpool("--help", env={"COLUMNS": columns}).stdout
    assert max(map(len, shown.splitlines())) <= min(int(columns), 100)
    assert shown.isascii()


def test_the_defaults_that_are_shown_are_those_that_hold() -> None:
    shown = {param.name: param.default for param in COMMANDS["run"].params if isinstance(param.default, str)}
    assert len(shown) > 10
    assert configure(**shown) == configure()


def test_without_input_a_terminal_gets_the_help(tmp_path: Path) -> None:
    with Terminal([], tmp_path) as terminal:
        assert terminal.wait() == 2
        assert terminal.words.startswith("Usage: fetchpool [OPTIONS] [INPUT]...\n")
        last = "fetchpool: nothing to read: name a file, pipe a list in, or try: fetchpool demo\n"
        assert terminal.words.endswith(last)
    assert list(tmp_path.iterdir()) == []


def test_the_options_page_shows_the_help_as_it_is() -> None:
    page = (ROOT / "docs" / "reference" / "options.md").read_text()
    block = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    shown = fetchpool("--help", env={"COLUMNS": "100"}).stdout
    assert block[1] == shown, "the options have changed: python -m tests.update_docs"


def test_every_exit_code_is_documented_with_its_meaning() -> None:
    documented = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", documented, re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning) for code in ExitCode]


def test_options_of_the_program_and_of_the_library_have_the_same_names() -> None:
    library = set(configure.__kwdefaults__) | {"inputs"}
    flags = {param.name for param in COMMANDS["run"].params}
    only_flags = {
        "dry_run",
        "head",
        "header",
        "http1",
        "http2",
        "keep_columns",
        "url_column",
        "no_dedupe",
        "quiet",
        "verbose",
        "no_progress",
        "version",
        "help",
    }
    assert flags - only_flags <= library
    assert library - flags == {"headers", "http_version", "dedupe"}


def test_an_options_name_in_python_is_its_long_name() -> None:
    exceptions = {"outputs": "--output", "http1": "--http1.1"}
    for param in COMMANDS["run"].params:
        if param.param_type_name == "option":
            assert exceptions.get(param.name, f"--{param.name.replace('_', '-')}") in param.opts
    assert options.DEFAULT_OUTPUT in fetchpool("--help").stdout
