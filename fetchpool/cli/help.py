"""The text of `--help`: a command's options in groups.

In: the parameters of the command. Out: plain text of at most 100 columns, also in a pipe. Typer's boxes
around each section would leave half of 80 columns for text.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import OTHER, skip_conversion

EXAMPLES = (
    ("fetchpool urls.txt -w 20", "append rows to sizes.txt, show progress"),
    ("cat urls.txt | fetchpool -o rows.jsonl", "read a pipe, write JSON lines"),
    ("fetchpool urls.txt -o - | grep error", "write rows to standard output"),
    ("fetchpool urls.txt --resume", "resume: fetch only URLs without a row"),
    ("fetchpool demo", "try it without a list or a network"),
)

SHORT_HELP = "\n".join(
    (
        "Usage: fetchpool [OPTIONS] [INPUT]...",
        "Fetch every URL of a list, and append one row for each to a file.",
        "",
        *(f"  {command:<42}{meaning}" for command, meaning in EXAMPLES),
        "",
        "fetchpool --help lists the options.",
    )
)
"""The answer to a bare `fetchpool`: ten lines."""

# Click's Context, Parameter and HelpFormatter appear as `Any`: Typer doesn't export their names.


class GroupedHelp(TyperCommand):
    """A command whose help lists the options by group, in the order of their declaration."""

    def get_params(self, ctx: Any) -> list[Any]:
        return skip_conversion(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.listed(ctx):
            groups.setdefault(_heading(param), []).append((_names(param), _meaning(param)))
        groups[OTHER] = groups.pop(OTHER, [])  # the last one
        for heading, rows in groups.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def listed(self, ctx: Any) -> list[Any]:
        """Return the parameters to list."""
        return [param for param in self.get_params(ctx) if not getattr(param, "hidden", False)]


class RunHelp(GroupedHelp):
    """The help of `run`, which `fetchpool --help` shows: with the commands, exit codes and examples."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage(ctx.find_root().info_name, " ".join(self.collect_usage_pieces(ctx)))

    def listed(self, ctx: Any) -> list[Any]:
        return [*super().listed(ctx), *ctx.find_root().command.params]  # the group has --install-completion

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        commands = ctx.find_root().command.commands
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(100)) for name, command in commands.items()]
            )
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in ExitCode])
        with formatter.section("Examples"):
            formatter.write_dl(EXAMPLES, col_max=44)


def _heading(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return getattr(param, "rich_help_panel", None) or OTHER


def _names(param: Any) -> str:
    """Return `-w, --workers N`; a long name without a short one is indented."""
    if param.param_type_name == "argument":
        return f"[{param.metavar}]..."
    names = ", ".join(sorted(param.opts, key=len))
    if not names.startswith("--"):
        return names if param.is_flag else f"{names} {param.metavar}"
    return f"    {names}" if param.is_flag else f"    {names} {param.metavar}"


def _meaning(param: Any) -> str:
    text: str = param.help or ""
    return f"{text} (default: {param.default})" if isinstance(param.default, str) else text
