"""The help: a command's options under the headings that their declarations give.

In: the live parameters, so that there is one truth. Out: plain text of at most 100 columns, which a
pipe and a README can hold too. Typer's own boxes are left aside: they change from release to
release, and the README's copy is compared with the program.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import OTHER

EXAMPLES = (
    ("fetchpool urls.txt -w 10", "rows into sizes.txt, progress on the screen"),
    ("cat urls.txt | fetchpool -o rows.jsonl", "from a pipe, every detail as JSON"),
    ("fetchpool urls.txt -o - | grep error", "rows to standard output: the failures"),
    ("fetchpool demo", "try it without a list or a network"),
)

# Click's Context, Parameter and HelpFormatter appear as `Any`: Typer doesn't export their names.


class GroupedHelp(TyperCommand):
    """A command whose options are listed by group, in the order in which they are declared."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.listed(ctx):
            groups.setdefault(_heading(param), []).append((_names(param), _meaning(param)))
        for heading, rows in groups.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def listed(self, ctx: Any) -> list[Any]:
        """The parameters to list."""
        return list(self.get_params(ctx))


class RunHelp(GroupedHelp):
    """The help of `run`, which is the help of the whole: it is shown by `fetchpool --help`."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage(ctx.find_root().info_name, " ".join(self.collect_usage_pieces(ctx)))

    def listed(self, ctx: Any) -> list[Any]:
        return [*super().listed(ctx), *ctx.find_root().command.params]  # shell completion's are the group's

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
    """`-w, --workers N`; without a short name the long one keeps its column."""
    if param.param_type_name == "argument":
        return f"[{param.metavar}]..."
    names = ", ".join(sorted(param.opts, key=len))
    if not names.startswith("--"):
        return names if param.is_flag else f"{names} {param.metavar}"
    return f"    {names}" if param.is_flag else f"    {names} {param.metavar}"


def _meaning(param: Any) -> str:
    text: str = param.help or ""
    return f"{text} (default: {param.default})" if isinstance(param.default, str) else text
