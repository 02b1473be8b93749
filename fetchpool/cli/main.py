"""Runs the command line, from arguments to exit code. In: the arguments. Out: the exit code and, for an error
that the user can fix, one line on stderr that begins with `fetchpool: `. Only a bug in fetchpool causes a
traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import typer
import typer.main

from fetchpool.cli.commands import app
from fetchpool.cli.early_progress import progress_of
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.model.closest import closest
from fetchpool.model.errors import OutputError, UsageError


def main(arguments: list[str]) -> int:
    """Run the command of `arguments`, which don't include the program's name."""
    _open_closed_streams()
    if progress_of(arguments, os.environ) == "json":  # before anything can fail
        from fetchpool.cli.json_stderr import run_with_json

        return run_with_json(partial(_run, arguments))
    return _run(arguments)


@cache
def built_command() -> typer.core.TyperGroup:
    """Return the command line, built once for all calls of `main()` in a process."""
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    return command


def _run(arguments: list[str]) -> int:
    command = built_command()
    try:
        code = command.main(args=arguments, prog_name="fetchpool", standalone_mode=False, obj=arguments)
        sys.stdout.flush()
    except UsageError as error:
        print_error(str(error))
        return ExitCode.USAGE
    except OutputError as error:
        print_error(str(error))
        return ExitCode.OUTPUT
    except typer.TyperException as error:
        named = arguments[0] if arguments and arguments[0] in command.commands else "run"
        value = _expected_value(error, command.commands[named].params)
        print_error(_format_parser_error(error) if not value else f"{_sentence(error)} {value}")
        return ExitCode.USAGE
    except BrokenPipeError:  # `fetchpool --help | head -1`: the reader has closed the pipe
        with suppress(OSError):  # otherwise the interpreter tries to write the rest when it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.OK
    return int(code or 0)


def _open_closed_streams() -> None:
    """Open standard streams that were closed at the start (`>&-` in a shell) on the null device. Otherwise an
    output or a socket would get the number of a standard stream."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115 - it stays open
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def _format_parser_error(error: typer.TyperException) -> str:
    """Return the message for an error that Typer reports: an unknown option or a missing value."""
    message = _sentence(error)
    unknown, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    similar = None
    if unknown is not None and context is not None and context.command.name == "run":
        from fetchpool.config.other_programs.table import answer

        own = {name for param in context.command.params for name in param.opts}
        is_plural = unknown.endswith("s") and unknown[:-1] in own
        if not is_plural and (known := answer(unknown)):
            return f"{message}; {known}"
        if unknown.removeprefix("--") in context.parent.command.commands:
            return f"{message}; did you mean fetchpool {unknown.removeprefix('--')}?"
    if unknown is not None and context is not None:
        options = {_setting_name(name): name for param in context.command.params for name in param.opts}
        similar = options.get(closest(_setting_name(unknown), options) or "")
    hint = f"did you mean {similar}?" if similar else "fetchpool --help lists the options"
    return f"{message}; {hint}"


def _expected_value(error: typer.TyperException, options: Sequence[object]) -> str:
    """Return a description of the value that an option lacks; empty for any other error."""
    name = getattr(error, "option_name", None)
    if not error.message.endswith("requires an argument."):
        return ""
    own = [each for each in options if isinstance(each, typer.core.TyperOption)]
    option = next((each for each in own if name in each.opts), None)
    if option is None or not option.help:
        return ""
    first = option.help.partition(". ")[0].rstrip(".")
    if first.partition(" ")[0][1:].islower():
        first = first[:1].lower() + first[1:]
    return f"{option.metavar}: {first}"


def _sentence(error: typer.TyperException) -> str:
    message = error.message.rstrip(".")
    return message[:1].lower() + message[1:]


def _setting_name(option: str) -> str:
    """Return the keyword argument of an option: `max_time` for `--max-time`."""
    return option.lstrip("-").replace("-", "_")
