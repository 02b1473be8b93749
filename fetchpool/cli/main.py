"""The command line from arguments to exit code.

In: the arguments. Out: the exit code, and on stderr one line that begins with `fetchpool: ` for
whatever the person can put right. No traceback for anything a user can do; one for a defect of ours.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import typer
import typer.main

from fetchpool.cli.commands import app
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.model.closest import closest
from fetchpool.model.errors import OutputError, UsageError


def main(arguments: list[str]) -> int:
    """Runs the command that `arguments` (without the program's name) call for."""
    _open_closed_streams()
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="fetchpool", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as refusal:
        print_error(str(refusal))
        return ExitCode.USAGE
    except OutputError as failure:
        print_error(str(failure))
        return ExitCode.OUTPUT
    except typer.TyperException as refusal:
        print_error(_format_parser_error(refusal))
        return ExitCode.USAGE
    except BrokenPipeError:  # `fetchpool --help | head -1`: the reader has seen enough
        with suppress(OSError):  # or the interpreter, on its way out, tries to write the rest
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.OK
    return int(code or 0)


def _open_closed_streams() -> None:
    """A shell can start us with `>&-`. Nobody is to take an output or a socket for a standard stream,
    because it was given that stream's number."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115 - it stays open
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def _format_parser_error(refusal: typer.TyperException) -> str:
    """The parser's own refusals (an unknown option, a value that is missing) in our form."""
    message = refusal.message.rstrip(".")
    message = message[:1].lower() + message[1:]
    unknown, context = getattr(refusal, "option_name", None), getattr(refusal, "ctx", None)
    meant = None
    if unknown is not None and context is not None:
        options = {_bare(name): name for param in context.command.params for name in param.opts}
        meant = options.get(closest(_bare(unknown), options) or "")
    hint = f"did you mean {meant}?" if meant else "fetchpool --help lists the options"
    return f"{message}; {hint}"


def _bare(option: str) -> str:
    """As a program would name the setting."""
    return option.lstrip("-").replace("-", "_")
