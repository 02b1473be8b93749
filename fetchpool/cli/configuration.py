"""Applies the environment and configuration files to the options of a command. In: the options as typed. Out:
the same options, with the values of variables and files for those that were not typed, and the origin of
each. Without variables or files, this costs three calls of `stat()`, and imports nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import typer
from msgspec import Struct

from fetchpool.cli.options import choose_color, flag_name
from fetchpool.config.config_paths import local_file, own_file
from fetchpool.config.option import PREFIX, Option
from fetchpool.model.errors import UsageError

if TYPE_CHECKING:
    from fetchpool.config.precedence import Setting, Source

CONFIG, NO_CONFIG = "FETCHPOOL_CONFIG", "FETCHPOOL_NO_CONFIG"


class Configuration(Struct, frozen=True):
    """The options of a command from all sources."""

    values: dict[str, Any]
    """Values by the name of the command's parameter, as if all were typed."""
    settings: Mapping[str, Setting] = {}
    """The options that are set, with their origins; empty if only the command line sets any."""
    notices: tuple[str, ...] = ()
    failure: UsageError | None = None
    """Why the files can't be used, if one of them asks for `--progress json`. The error is then a line of
    JSON."""

    def run(self, command: Callable[[], int]) -> int:
        """Run a command with these options and return its exit code. With `--progress json`, standard error
        has lines of JSON. Errors name the origins of the options in them."""
        if self.values["display"] == "json":
            from fetchpool.cli.json_stderr import run_with_json

            return run_with_json(partial(self._run, command))
        return self._run(command)

    def _run(self, command: Callable[[], int]) -> int:
        if self.failure is not None:
            raise self.failure
        with self.naming_origins():
            return command()

    @contextmanager
    def naming_origins(self) -> Iterator[None]:
        """Add the origins of options to the message of a `UsageError`, except for typed options."""
        try:
            yield
        except UsageError as error:
            if not self.settings:
                raise
            from fetchpool.config.precedence import with_origins

            raise UsageError(with_origins(str(error), self.settings)) from None


def configured(
    context: typer.Context,
    typed: Mapping[str, Any],
    options: Sequence[Option],
    environ: Mapping[str, str] = os.environ,
) -> Configuration:
    """Return the options of a command. `typed`: its parameters with their defaults. `options`: the options
    that the environment and files can set for this command. Raises `UsageError`."""
    has_variables = any(name.startswith(PREFIX) for name in environ)
    named, label = _named_file(typed, environ) if has_variables or typed["config"] is not None else ("", "")
    is_off = typed["no_config"] or (has_variables and _is_off(environ))
    local, own = ("", "") if is_off else (local_file(named), own_file(named, environ))
    if not (has_variables or named or local or own or typed.get("print_config")):
        return Configuration(dict(typed))
    from fetchpool.config.environment import from_variables
    from fetchpool.config.precedence import COMMAND_LINE, Source, combine

    names = {option.name: flag_name(option) for option in options}
    given = {name: typed[flag] for name, flag in names.items() if is_typed(context, flag)}
    variables = from_variables(environ) if has_variables else {}
    try:
        files = list(_files(named, label, local, own))
    except UsageError as error:
        if (
            "display" in names
            and not {"display"} & {*given, *variables}
            and _asks_for_json(named, local, own)
        ):
            return Configuration({**typed, "display": "json"}, failure=error)
        raise
    sources = [Source(COMMAND_LINE, given), Source("", variables), *files]
    settings = combine(sources, {name: typed[flag] for name, flag in names.items()})
    used = {names[name]: setting.value for name, setting in settings.items() if not setting.needs}
    keys = ", ".join(each.option.key for each in settings.values() if each.origin == local and not each.needs)
    notices = (f"options from {local}: {keys}",) if keys else ()
    configuration = Configuration({**typed, **used}, settings, notices)
    with configuration.naming_origins():
        choose_color(used.get("color"))
    return configuration


def is_typed(context: typer.Context, parameter: str) -> bool:
    """Whether an option is on the command line."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _named_file(typed: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the file that the user named, and the option or variable that names it."""
    if typed["config"] is not None:
        return typed["config"], "--config"
    return ("", "") if typed["no_config"] else (environ.get(CONFIG, ""), CONFIG)


def _asks_for_json(*paths: str) -> bool:
    """Whether the first of these files that sets `progress` sets it to json. The files may be invalid."""
    from fetchpool.config.config_files import progress_line

    found = (progress_line(path) for path in paths if path)
    return next((value for value in found if value), "") == "json"


def _is_off(environ: Mapping[str, str]) -> bool:
    text = environ.get(NO_CONFIG, "")
    if not text:
        return False
    from fetchpool.config.environment import as_switch

    return as_switch(NO_CONFIG, text)


def _files(named: str, label: str, local: str, own: str) -> Iterator[Source]:
    """Yield what the files set."""
    from fetchpool.config.config_files import TABLE, read
    from fetchpool.config.precedence import Source

    if named or label == "--config":
        if not named:
            raise UsageError(f"{label}: expected the path of a file")
        try:
            values = read(named)
        except UsageError as error:
            raise UsageError(f"{label}: {error}") from None
        if values is None:
            raise UsageError(f"{label}: {named} has no table [{TABLE}]")
        yield Source(named, values)
    if local and (values := read(local, trusted=False)) is not None:
        yield Source(local, values)
    if own and (values := read(own)) is not None:
        yield Source(own, values)
