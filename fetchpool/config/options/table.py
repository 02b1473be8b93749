"""The table of all options, by group: one declaration for each.

Made from this table: the command line (`cli/options.py`) with its help and completion, the checks of
`configure()`, the keyword arguments of `fetch()` and `Pool` (`settings.py`), and `docs/reference/options.md`.
The default of an option is that of the field with the same name in `FetchOptions` or `RunConfig`, where its
value is stored. If curl has the option, name and meaning are curl's.

After a change here: `python -m tests.update_docs`.
"""

from __future__ import annotations

from typing import Any

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.option import Option, Scope
from fetchpool.config.options import (
    configuration,
    crawl,
    display,
    input,
    limits,
    other,
    output,
    politeness,
    request,
    resume,
    speed,
    web,
)
from fetchpool.config.run_config import RunConfig

GROUPED: dict[str, tuple[Option, ...]] = {
    "Input": input.OPTIONS,
    "Crawl": crawl.OPTIONS,
    "Speed": speed.OPTIONS,
    "Politeness": politeness.OPTIONS,
    "Output": output.OPTIONS,
    "Resume": resume.OPTIONS,
    "Retries and limits": limits.OPTIONS,
    "Request": request.OPTIONS,
    "Display": display.OPTIONS,
    "Web page": web.OPTIONS,
    "Configuration": configuration.OPTIONS,
    "Other": other.OPTIONS,
}

OPTIONS = {option.name: option for options in GROUPED.values() for option in options}

DEFAULTS: dict[str, Any] = {
    name: default
    for struct in (FetchOptions, RunConfig)
    for name, default in zip(struct.__struct_fields__, struct.__struct_defaults__, strict=True)
    if name in OPTIONS
}
"""The default values of options that are fields of a configuration."""


def shown_default(option: Option) -> str | None:
    """Return the default as a user would write it, or None."""
    write = option.type.format
    return None if write is None else write(DEFAULTS[option.name])


def in_scope(*scopes: Scope) -> list[Option]:
    """Return the options of these scopes, in the order of the table."""
    return [option for option in OPTIONS.values() if option.scope in scopes]
