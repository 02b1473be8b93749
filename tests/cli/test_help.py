"""The help is the truth, and its copies in the documents are compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from fetchpool.cli.commands import app
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import flag_name
from fetchpool.config.choices import DEFAULT_OUTPUT
from fetchpool.config.configure import configure
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.option import Scope
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.other_programs.table import ACCEPTED
from fetchpool.config.param_types import SWITCH
from fetchpool.config.run_config import RunConfig
from tests.cli.environment import ROOT
from tests.cli.runner import Terminal, fetchpool

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group


@pytest.mark.parametrize("command", ["run", "demo", "compact", "report", "compare", "check", "broken"])
def test_every_option_is_in_the_help_with_words_of_its_own(command: str) -> None:
    shown = fetchpool(command, "--help", env={"COLUMNS": "100"}).stdout
    for param in [param for param in COMMANDS[command].params if not getattr(param, "hidden", False)]:
        for name in param.opts if param.param_type_name == "option" else [param.metavar]:
            assert name in shown
        assert param.help
        assert param.help[:20] in " ".join(shown.split())


@pytest.mark.parametrize(
    ("command", "option"), [("report", "--format"), ("compact", "--format"), ("broken", "--links")]
)
def test_an_option_about_what_is_read_is_in_the_group_of_the_input(command: str, option: str) -> None:
    shown = fetchpool(command, "--help").stdout
    (group,) = [group for group in shown.split("\n\n") if f" {option} " in group]
    assert group.startswith("Input:\n")


def test_the_help_of_the_text_is_that_of_run_and_lists_the_commands() -> None:
    text = fetchpool("--help").stdout
    assert text == fetchpool("run", "-h").stdout
    assert text.startswith("Usage: fetchpool [OPTIONS] [INPUT]...\n")
    for command in COMMANDS:
        assert f"\n  {command} " in text


@pytest.mark.parametrize("columns", ["60", "80", "100", "200"])
def test_the_help_fits_the_screen_and_is_plain_text(columns: str) -> None:
    shown = fetchpool("--help", env={"COLUMNS": columns}).stdout
    assert max(map(len, shown.splitlines())) <= min(int(columns), 100)
    assert shown.isascii()


def test_the_defaults_in_the_help_are_the_real_ones() -> None:
    shown = {param.name: param.default for param in COMMANDS["run"].params if isinstance(param.default, str)}
    assert len(shown) > 10
    assert configure(**shown) == configure()


def test_a_bare_command_on_a_terminal_prints_ten_lines(tmp_path: Path) -> None:
    with Terminal([], tmp_path) as terminal:
        assert terminal.wait() == 2
        shown = terminal.words.splitlines()
    assert len(shown) == 10
    assert max(map(len, shown)) < 100
    assert shown[0] == "Usage: fetchpool [OPTIONS] [INPUT]..."
    assert sum(line.startswith("  ") for line in shown) == 5
    assert shown[-1] == "fetchpool --help lists the options."
    assert list(tmp_path.iterdir()) == []


def test_options_without_input_on_a_terminal_are_refused_in_one_line(tmp_path: Path) -> None:
    with Terminal(["-w", "3"], tmp_path) as terminal:
        assert terminal.wait() == 2
        said = "fetchpool: nothing to read: name a file, pipe a list in, or try: fetchpool demo\n"
        assert terminal.words == said


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("urls.txt", "urls.csv", "demo.txt", "my list.txt", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.txt").touch()
    (tmp_path / "lists" / "b.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (
            "",
            [
                "demo",
                "compact",
                "report",
                "compare",
                "check",
                "broken",
                "demo.txt",
                "lists/",
                "urls.csv",
                "urls.txt",
            ],
        ),
        ("de", ["demo", "demo.txt"]),
        ("-w 3 ur", ["urls.csv", "urls.txt"]),
        ("compact ur", []),
        ("li", ["lists/a.txt", "lists/b.txt"]),
        ("lists/b", ["lists/b.txt"]),
        (".", [".hidden"]),
        ("my", []),  # the shell completes it with quotes
        ("-o ur", []),  # the shell completes files
        ("nothing", []),
        ("--color a", ["auto", "always"]),
    ],
)
def test_completion_offers_files_commands_and_choices(
    directory: Path, words: str, completed: list[str]
) -> None:
    line = f"fetchpool {words}"
    env = {
        "_FETCHPOOL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    assert fetchpool(cwd=directory, env=env).stdout.split() == completed


def test_every_exit_code_is_documented_with_its_meaning() -> None:
    documented = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", documented, re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning) for code in ExitCode]


def test_every_option_of_the_table_is_on_the_command_line_under_its_own_name() -> None:
    params = {param.name: param for param in COMMANDS["run"].params}
    for option in OPTIONS.values():
        if option.usage and option.name != "number":
            param = params.pop(flag_name(option))
            assert set(param.opts) == set(option.flags)
            assert param.is_flag == (option.type is SWITCH)
    hidden = {name.replace("-", "_") for name in ACCEPTED}
    assert set(params) == {"inputs", *hidden}
    assert all(params[name].hidden for name in hidden)


def test_every_option_of_configure_sets_one_field() -> None:
    fields = [*FetchOptions.__struct_fields__, *RunConfig.__struct_fields__]
    without = {name for name, option in OPTIONS.items() if option.scope is not Scope.FLAG} - set(fields)
    change_others = {"format"}
    make_headers_or_body = {"data", "json", "referer", "range", "cookie", "netrc_file"}
    make_connections = {"tlsv1_2", "tlsv1_3", "ipv4", "ipv6"}
    make_rules_of_crawls = {
        *("scope", "include", "exclude", "ignore_param", "follow_tags", "page_requisites"),
        *("no_robots", "ignore_nofollow", "no_sitemap", "no_trap_guard"),
        *("check_external", "check_fragments"),
    }
    assert without == change_others | make_headers_or_body | make_connections | make_rules_of_crawls
    assert len(set(fields)) == len(fields)


def test_an_options_name_in_python_is_its_long_name() -> None:
    exceptions = {
        "display": "--progress",
        "outputs": "--output",
        "http1": "--http1.1",
        "headers": "--header",
        "tlsv1_2": "--tlsv1.2",
        "tlsv1_3": "--tlsv1.3",
    }
    for param in COMMANDS["run"].params:
        if param.param_type_name == "option":
            assert exceptions.get(param.name, f"--{param.name.replace('_', '-')}") in param.opts
    assert DEFAULT_OUTPUT in fetchpool("--help").stdout
