"""The manual page, docs/fetchpool.1: made from the options table, the commands, exit codes and examples.

In: what `--help` is made of. Out: roff with the macros of man(7). `python -m tests.update_docs` writes it,
and a wheel installs it as share/man/man1/fetchpool.1.
"""

from __future__ import annotations

import inspect
import re

import typer.main

from fetchpool.cli.commands import app
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.help import EXAMPLES
from fetchpool.cli.run import run
from fetchpool.config.describe import with_default
from fetchpool.config.option import Option
from fetchpool.config.options.table import GROUPED
from fetchpool.model.version import VERSION


def escaped(text: str) -> str:
    """Return text that roff shows as it is: hyphens can be copied, and no line is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def _option(option: Option) -> list[str]:
    names = ", ".join(f"\\fB{escaped(flag)}\\fR" for flag in option.flags)
    value = f" \\fI{escaped(option.metavar)}\\fR" if option.metavar else ""
    return [".TP", f"{names}{value}", escaped(with_default(option))]


def man_page() -> str:
    """Return the page."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    summary, *more = (inspect.getdoc(run) or "").split("\n\n")
    lines = [
        '.\\" Written by python -m tests.update_docs.',
        f'.TH FETCHPOOL 1 "" "fetchpool {VERSION}" "User Commands"',
        ".SH NAME",
        "fetchpool \\- fetch a list of URLs, one row per URL",
        ".SH SYNOPSIS",
        ".B fetchpool",
        "[\\fIOPTIONS\\fR] [\\fIINPUT\\fR]...",
    ]
    for name, command in commands.items():
        if name != "run":
            arguments = [param.metavar for param in command.params if param.param_type_name == "argument"]
            lines += [".br", f".B fetchpool {name}", *(f"[\\fI{each}\\fR]..." for each in arguments)]
    (inputs,) = (param for param in commands["run"].params if param.param_type_name == "argument")
    lines += [".SH DESCRIPTION", escaped(summary), ".PP", f"\\fIINPUT\\fR: {escaped(inputs.help)}"]
    for paragraph in more:
        lines += [".PP", escaped(paragraph)]
    lines.append(".SH OPTIONS")
    for group, options in GROUPED.items():
        shown = [option for option in options if option.usage and option.name != "number"]
        lines += [f".SS {group}", *(line for option in shown for line in _option(option))]
    lines.append(".SH COMMANDS")
    for name, command in commands.items():
        lines += [".TP", f"\\fB{name}\\fR", escaped(command.get_short_help_str(200))]
    lines.append(".SH EXIT STATUS")
    for code in ExitCode:
        lines += [".TP", f"\\fB{int(code)}\\fR", escaped(code.meaning)]
    lines += [
        ".SH ENVIRONMENT",
        ".TP",
        "\\fBNO_COLOR\\fR, \\fBFORCE_COLOR\\fR, \\fBCLICOLOR_FORCE\\fR",
        "Whether text has colours, unless \\fB\\-\\-color\\fR says so.",
        ".TP",
        f"\\fB{escaped('FETCHPOOL_MAX_TIME')}\\fR and so on",
        "The value of an option, unless it is on the command line. An empty variable is not set.",
        ".TP",
        "\\fBFETCHPOOL_CONFIG\\fR",
        "The file of \\fB\\-\\-config\\fR.",
        ".TP",
        "\\fBFETCHPOOL_NO_CONFIG\\fR",
        "1 is \\fB\\-\\-no\\-config\\fR.",
        ".SH FILES",
        ".TP",
        "\\fI./fetchpool.toml\\fR, \\fI./pyproject.toml\\fR (table tool.fetchpool)",
        "Options for the working directory. A file that \\fB\\-\\-config\\fR does not name cannot set what "
        "runs code, writes files or sends data elsewhere.",
        ".TP",
        "\\fI~/.config/fetchpool/config.toml\\fR",
        "The user's own options; in \\fB$XDG_CONFIG_HOME\\fR if that is set.",
        ".SH EXAMPLES",
    ]
    for example, meaning in EXAMPLES:
        lines += [".TP", f"\\fB{escaped(example)}\\fR", escaped(meaning)]
    lines += [".SH SEE ALSO", "\\fBcurl\\fR(1), \\fBwget\\fR(1)"]
    return "\n".join(lines) + "\n"
