"""The commands, with `run` as the default.

`fetchpool urls.txt -w 10` is `fetchpool run urls.txt -w 10`. A file with the name of a command is read as
`./demo`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from fetchpool.cli.broken import broken
from fetchpool.cli.check import check
from fetchpool.cli.compact import compact
from fetchpool.cli.compare import compare
from fetchpool.cli.demo import demo
from fetchpool.cli.help import GroupedHelp, RunHelp
from fetchpool.cli.options import skip_conversion
from fetchpool.cli.report import report
from fetchpool.cli.run import run
from fetchpool.model.closest import closest
from fetchpool.model.errors import UsageError


class DefaultCommandGroup(TyperGroup):
    """A group that runs `run` unless the first argument is the name of a command."""

    def get_params(self, ctx: Any) -> list[Any]:
        return skip_conversion(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Typer doesn't export Click's Context
        own_options = {option for param in self.params for option in param.opts}  # --install-completion
        if not args or args[0] not in {*self.commands, *own_options}:
            if args and not ctx.resilient_parsing:  # which shells use to complete a word
                self._refuse_misspelt(args[0])
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def _refuse_misspelt(self, word: str) -> None:
        """Raise `UsageError` for a first argument that is not a file and probably a mistyped command."""
        if not word.isalpha() or Path(word).exists():
            return
        commands = self.commands.keys() - {"run"}
        if likely := "--help" if word == "help" else closest(word, commands):
            raise UsageError(f"{word}: no such file, and no such command; did you mean fetchpool {likely}?")


app = typer.Typer(
    cls=DefaultCommandGroup,
    rich_markup_mode=None,  # plain text; see help.py
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("run", cls=RunHelp)(run)
app.command("demo", cls=GroupedHelp)(demo)
app.command("compact", cls=GroupedHelp)(compact)
app.command("report", cls=GroupedHelp)(report)
app.command("compare", cls=GroupedHelp)(compare)
app.command("check", cls=GroupedHelp)(check)
app.command("broken", cls=GroupedHelp)(broken)
