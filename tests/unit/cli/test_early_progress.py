"""`--progress json` before the command line is loaded."""

from __future__ import annotations

import sys

import pytest

from fetchpool.cli.commands import app
from fetchpool.cli.early_progress import OTHER_COMMANDS, VARIABLE, progress_of
from fetchpool.config.options.table import OPTIONS
from tests.cli.runner import run

SCRIPT = """
import os, signal, sys, types
sys.argv[1:] = ["urls", "--progress", "json"]

def interrupted(arguments):
    os.kill(os.getpid(), {number})
    signal.pause()

sys.modules["fetchpool.cli.main"] = types.SimpleNamespace(main=interrupted)
from fetchpool.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ("urls", "", ""),
        ("urls --progress json", "", "json"),
        ("urls --progress=json -q", "plain", "json"),
        ("--progress json --progress bar", "", "bar"),
        ("urls --progress", "json", ""),
        ("urls -- --progress json", "", ""),
        ("urls --no-progress", "json", "none"),
        ("urls", "json", "json"),
        ("demo", "json", "json"),
        ("", "json", "json"),
        ("compact out", "json", ""),
        ("compact out --progress json", "", "json"),
    ],
)
def test_the_last_value_that_is_typed_counts_or_that_of_the_environment(
    arguments: str, variable: str, expected: str
) -> None:
    assert progress_of(arguments.split(), {"FETCHPOOL_PROGRESS": variable}) == expected


def test_the_commands_and_the_variable_are_those_of_the_options() -> None:
    assert {each.name for each in app.registered_commands} == {"run", "check", "demo", *OTHER_COMMANDS}
    assert OPTIONS["display"].variable == VARIABLE


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_an_interrupt_while_the_command_is_loaded_ends_in_a_summary(number: int, code: int) -> None:
    done = run([sys.executable, "-c", SCRIPT.format(number=number)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, f'{{"type":"summary","exit_code":{code}}}\n')
