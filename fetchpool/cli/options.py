"""The options of the command line, made from the table in `config/options/`.

All values stay text: `configure()` checks them, as for programs, so error messages are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

import typer

from fetchpool.cli.completion import complete_from, complete_inputs
from fetchpool.config.option import Option, Settable
from fetchpool.config.options.table import GROUPED, OPTIONS, shown_default
from fetchpool.config.other_programs.table import accepted_flags, always_on
from fetchpool.model.version import version_line
from fetchpool.progress import color

GROUP_OF = {option.name: group for group, options in GROUPED.items() for option in options}
OWN = "Options"
"""The group of options that only one command has."""
OTHER = "Other"
_FLAGS = {flag for option in OPTIONS.values() for flag in option.flags}


def show_version(wanted: bool) -> None:
    """Print the version and exit, if `wanted`."""
    if wanted:
        typer.echo(version_line())
        raise typer.Exit


def choose_color(when: str | None) -> str | None:
    """Set whether this command's text is coloured. Raises `UsageError`."""
    if when is not None:
        color.choose(OPTIONS["color"].type.check("--color", when))
    return when


def flag_name(option: Option) -> str:
    """Return the option's name on the command line: `no_dedupe` for `dedupe`."""
    return f"no_{option.name}" if option.is_negative else option.name


def parameter(option: Option, help: str = "", default: str | None = None, group: str = "") -> Parameter:
    """Return the option as a parameter of a command; `help`, `default` and `group` replace those of the
    table."""
    kind: Any = str | None
    value: str | bool | None = default or shown_default(option)
    if not option.metavar:
        kind, value = bool, False
    elif option.type.repeatable:
        kind = list[str] | None
    elif value is not None:
        kind = str
    more: dict[str, Any] = {}
    if option.type.choices:
        more["autocompletion"] = complete_from(*option.type.choices)
    if option.name == "version":
        more |= {"is_eager": True, "callback": show_version}
    if option.name == "color":
        more |= {"is_eager": True, "callback": choose_color}
    info = typer.Option(
        *_declarations(option),
        metavar=option.metavar or None,
        help=help or option.help,
        rich_help_panel=group or GROUP_OF.get(option.name, OWN),
        **more,
    )
    return _parameter(flag_name(option), kind, info, value)


def _declarations(option: Option) -> list[str]:
    """Return the flags. A switch that a configuration file can turn on can be turned off: `--no-robots`. The
    help doesn't list that."""
    if option.metavar or option.settable is Settable.TYPED:
        return option.flags
    flag = opposite_flag(option)
    return [f"{each}/{flag}" if flag and each == option.label else each for each in option.flags]


def opposite_flag(option: Option) -> str:
    """Return the flag that turns a switch off: `--no-robots`, or `--dedupe` for `--no-dedupe`. Empty if that
    is another option."""
    key = option.key
    flag = f"--{key.removeprefix('no-')}" if key.startswith("no-") else f"--no-{key}"
    return "" if flag in _FLAGS else flag


def accepted(name: str) -> Parameter:
    """Return a hidden switch for an option of curl that is always on; its help is the notice about it."""
    info = typer.Option(*accepted_flags(name), hidden=True, help=always_on(name))
    return _parameter(name.replace("-", "_"), bool, info, False)


def argument(name: str, metavar: str, help: str, *choices: str) -> Parameter:
    """Return a parameter for any number of positional arguments. Shells complete `choices` and files."""
    completion = complete_inputs(*choices) if choices else None
    info = typer.Argument(metavar=metavar, help=help, show_default=False, autocompletion=completion)
    return _parameter(name, list[str] | None, info, None)


def takes(*parameters: Parameter) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Decorate a command so that Typer calls it with these parameters as keyword arguments. Typer reads them
    from the signature."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        own = signature(command, eval_str=True).parameters.values()
        context = [each for each in own if each.annotation is typer.Context]
        command.__signature__ = Signature([*context, *parameters])  # type: ignore[attr-defined]
        return command

    return decorate


def skip_conversion(parameters: list[Any]) -> list[Any]:
    """Make Typer pass the values of these parameters on as text. It would convert them with pydantic, whose
    import takes as long as the rest of `fetchpool --help`."""
    for each in parameters:
        each.process_value = partial(_unconverted, each)
    return parameters


def _unconverted(parameter: Any, context: Any, value: Any) -> Any:
    """Stand in for Click's `Parameter.process_value()`."""
    if value is None and (parameter.multiple or parameter.nargs == -1):
        value = ()
    return value if parameter.callback is None else parameter.callback(context, parameter, value)


def _parameter(name: str, kind: Any, info: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])
