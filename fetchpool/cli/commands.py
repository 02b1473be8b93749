"""The commands, and `run` as the one that is meant when none is named.

`fetchpool urls.txt -w 10` is `fetchpool run urls.txt -w 10`. A file that is called like a command is
reached as `./demo`.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from fetchpool.cli.compact import compact
from fetchpool.cli.demo import demo
from fetchpool.cli.help import GroupedHelp, RunHelp
from fetchpool.cli.run import run


class DefaultCommandGroup(TyperGroup):
    """A group whose first argument need not be a command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Typer doesn't export Click's Context
        own_options = {option for param in self.params for option in param.opts}  # --install-completion
        if not args or args[0] not in {*self.commands, *own_options}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=DefaultCommandGroup,
    rich_markup_mode=None,  # a box around every section leaves half of 80 columns for words
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("run", cls=RunHelp)(run)
app.command("demo", cls=GroupedHelp)(demo)
app.command("compact", cls=GroupedHelp)(compact)
