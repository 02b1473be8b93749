"""Suggests how to continue after a run: the command that retries its failures, or continues an interrupted
run. In: the configuration and the arguments of the command. Out: text for the summary; empty if the outputs
don't show which URLs are done. A command that may contain a password is not repeated, because summaries end
up in logs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fetchpool.config.option import Secret
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.run_config import RunConfig
from fetchpool.model.failures import resumable_error

SECRET_OPTIONS = [name for name, option in OPTIONS.items() if option.secret not in (None, Secret.USERINFO)]
"""Options whose values may be secret, without those whose secret is before an `@`."""
RETRY = ("--retry-failed", "all")


def showable(arguments: Sequence[str], typed: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the arguments of a command if they can be shown; None if they may contain a secret."""
    if any(typed.get(name) for name in SECRET_OPTIONS) or any("@" in each for each in arguments):
        return None
    return tuple(arguments)


def can_resume(config: RunConfig) -> bool:
    """Whether the outputs show which URLs are done."""
    return config.dedupe and all(
        output.path != "-" and (Path(output.path).is_file() or Path(output.path).is_dir())
        for output in config.outputs
    )


def resume_hint(config: RunConfig) -> str:
    """Return the instruction for continuing an interrupted run."""
    if not can_resume(config):
        return ""
    if config.resume:
        return "run the same command again"
    return "" if config.refresh_in_place else "run the same command with --resume"


def retry_hint(config: RunConfig, arguments: Sequence[str] | None, errors: Iterable[str]) -> str:
    """Return the command that retries the failures of a run. `arguments`: the arguments of the run, if they
    can be shown. `errors`: all errors in its rows."""
    if not can_resume(config):
        return ""
    repeats = all(resumable_error(error) in config.retry_failed for error in errors)
    piped = "-" in config.inputs
    if arguments is None or (piped and (len(config.inputs) > 1 or config.url_column is not None)):
        return "run the same command again" if repeats else f"run the same command with {' '.join(RETRY)}"
    if piped:  # standard input can't be read a second time, but the output has the URLs
        arguments = [each for each in arguments if each != "-"]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    added = () if repeats else RETRY  # a second --retry-failed adds to the first one
    return shlex.join(["fetchpool", *arguments[:end], *added, *arguments[end:]])
