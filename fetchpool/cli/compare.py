"""`fetchpool compare [INPUT]...`: runs a list with each executor and transport, and compares them.

In: a list, and the options of `run`. Out: a table on standard output, files of `-o`, and the exit code.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fetchpool.cli.configuration import configured
from fetchpool.cli.display import print_lines
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import argument, flag_name, parameter, takes
from fetchpool.cli.run import RUN_OPTIONS, settings_of
from fetchpool.config.choices import EXECUTORS, LOCAL_EXECUTORS
from fetchpool.config.command_options import COMPARE
from fetchpool.config.option import Option, Scope
from fetchpool.config.options.table import OPTIONS, shown_default
from fetchpool.config.validate import NO_PASSWORD
from fetchpool.model.errors import InputError, UsageError
from fetchpool.progress.format import counted, line

if TYPE_CHECKING:
    from fetchpool.compare.judge import RowJudge
    from fetchpool.compare.plan import Combination, Plan
    from fetchpool.compare.table import Comparison
    from fetchpool.compare.trial import Trial
    from fetchpool.config.run_config import RunConfig

OWN = {option.name: option for option in COMPARE}
DEFAULTS = {"executors": ",".join(LOCAL_EXECUTORS), "transports": "curl", "repeat": "3"}
WITHOUT = {
    *("executor", "transport"),
    *("outputs", "overwrite", "format", "fields", "write_out"),
    *("links", "check_fragments", "frontier"),
    *("save", "save_as", "warc", "warc_max_size", "cookie_jar"),
    *("resume", "retry_failed", "refresh", "paused"),
}
"""Options of `run` that a trial lacks: it has its own output, does not depend on earlier runs, and waits for
no user."""
SWITCHES = {"head", "http1", "http2", "http3"}
"""Command-line options that affect how URLs are fetched."""
CONFIGURABLE = ("quiet", "color")
PASSED = [
    option
    for option in RUN_OPTIONS
    if option.name not in WITHOUT and (option.scope is not Scope.FLAG or option.name in SWITCHES)
]
OUTPUT_HELP = "Write the comparison to PATH: .json, .md or .html. Repeatable."


@takes(
    argument("inputs", "INPUT", "The list to fetch, as for run: files, '-' for standard input, and URLs."),
    *(parameter(option, default=DEFAULTS.get(option.name)) for option in COMPARE),
    parameter(OPTIONS["outputs"], help=OUTPUT_HELP),
    *map(parameter, PASSED),
    *(parameter(OPTIONS[name]) for name in (*CONFIGURABLE, "config", "no_config")),
)
def compare(ctx: typer.Context, inputs: list[str] | None, outputs: list[str] | None, **typed: Any) -> int:
    """Run a list several times with each executor and transport, and compare times, CPU, memory and rows.

    Each trial is a new process, and its start counts. After a warm-up round, every round runs all
    combinations once, in random order. The other options are those of run and apply to every trial.
    """
    configuration = configured(ctx, typed, [*PASSED, *(OPTIONS[name] for name in CONFIGURABLE)])
    if not configuration.values["quiet"]:
        print_lines(sys.stderr, [line(notice) for notice in configuration.notices])
    with configuration.naming_origins():
        return _compare(inputs or [], outputs or [], dict(configuration.values))


def _compare(inputs: list[str], outputs: list[str], typed: dict[str, Any]) -> int:
    """Compare with the options `typed`, which include those of variables and files."""
    if not inputs and not typed["sitemap"]:
        raise UsageError("missing argument INPUT, e.g. fetchpool compare urls.txt --limit 1000")
    quiet = typed["quiet"]
    from fetchpool.compare.judge import RowJudge
    from fetchpool.compare.write import check_outputs, write

    own = {name: _checked(option, typed) for name, option in OWN.items()}
    check_outputs(outputs)
    with _temporary_directory() as directory:
        lists = [_stored(each, directory) for each in inputs]
        typed["sitemap"] = [_stored(each, directory) for each in typed["sitemap"] or ()]
        plan, config = _plan(lists, own, typed)
        urls = _check_list(config, plan, is_allowed=typed["yes"])
        if not quiet:
            names = ", ".join(map(str, plan.combinations))
            _say(f"{plan.trials} trials of {counted(urls, 'URL')} each, with {names}")
        judge = RowJudge()
        trials: list[Trial] = []
        interrupted = False
        try:
            for trial in _trials(plan, lists, typed, directory, judge):
                trials.append(trial)
                if not quiet:
                    _say(_progress(trial, len(trials), plan))
        except KeyboardInterrupt:
            interrupted = True
    comparison = _comparison(plan, urls, trials, judge, interrupted=interrupted)
    _print(comparison)
    write(comparison, outputs)
    if interrupted:
        return ExitCode.INTERRUPTED
    if comparison.failures or (typed["strict"] and comparison.differences.count):
        return ExitCode.FAILED
    return ExitCode.OK


def _checked(option: Option, typed: dict[str, Any]) -> Any:
    value = typed[option.name]
    return None if value is None else option.type.check(option.label, value)


# The plan


def _plan(lists: list[str], own: dict[str, Any], typed: dict[str, Any]) -> tuple[Plan, RunConfig]:
    """Return the plan, and the configuration of one of its combinations. Raises `UsageError`."""
    from fetchpool.compare.plan import make_plan
    from fetchpool.config.configure import configure

    for option in PASSED:
        if option.only_with:  # otherwise its error would be the reason why a combination doesn't exist
            _checked(option, typed)
    if typed["user"] is not None and ":" not in typed["user"] and not (typed["netrc"] or typed["netrc_file"]):
        raise UsageError(NO_PASSWORD)  # a trial can't ask for it
    usable: list[RunConfig] = []

    def check(combination: Combination) -> None:
        names = {"executor": combination.executor, "transport": combination.transport}
        given = {flag_name(option): typed[flag_name(option)] for option in _passed(combination)}
        nothing = {flag_name(option): None for option in RUN_OPTIONS}
        settings = settings_of({**nothing, **given, **names, "outputs": ["rows.jsonl"]})
        config = configure(lists, **settings)
        if config.fetch.transport != combination.transport:
            raise UsageError(next(iter(config.notices), f"there is no {combination.transport}"))
        usable.append(config)

    seed = int.from_bytes(os.urandom(4)) if own["seed"] is None else own["seed"]
    plan = make_plan(own["executors"], own["transports"], own["repeat"], seed, check)
    return plan, usable[0]


def _passed(combination: Combination) -> list[Option]:
    """Return the options passed to a combination's trials, without those for other executors."""
    others = [("executor", name) for name in EXECUTORS if name != combination.executor]
    return [option for option in PASSED if option.only_with not in others]


def _check_list(config: RunConfig, plan: Plan, *, is_allowed: bool) -> int:
    """Return the number of URLs of the list. Raises `UsageError` if it is empty or has public hosts that the
    user does not allow."""
    from fetchpool.cli.dry_run import estimate
    from fetchpool.compare.plan import PublicHosts, refuse_public
    from fetchpool.engine.open_source import open_source

    source = open_source(config).source
    try:
        found = estimate(source, config)
    finally:
        source.close()
    if found.failure is not None:
        raise InputError(found.failure)
    urls = found.urls + found.invalid
    if not urls:
        raise UsageError("INPUT: the list is empty")
    if not is_allowed:
        known = {where.rpartition(":")[0] for where, _ in config.fetch.resolve}
        is_public = PublicHosts(known)
        refuse_public((host for host, _ in found.hosts), found.urls, plan.trials, is_public=is_public)
    return urls


# Trials


def _trials(
    plan: Plan, lists: list[str], typed: dict[str, Any], directory: Path, judge: RowJudge
) -> Iterator[Trial]:
    """Run all trials. The rows of those that count are passed to the judge. A combination that has failed is
    not run again."""
    from fetchpool.compare.judge import ROW_FIELDS
    from fetchpool.compare.trial import adopt_orphans, run_trial
    from fetchpool.sinks.read_back import read_rows

    adopts = adopt_orphans()
    rows = directory / "rows.jsonl"
    failed: set[Combination] = set()
    for number, combinations in plan.rounds():
        for combination in combinations:
            if combination in failed:
                continue
            arguments = [f"--output={rows}", *_arguments(typed, combination), "--", *lists]
            rows.unlink(missing_ok=True)
            trial = run_trial(
                combination, number, arguments, directory, adopts=adopts, variables=_secrets(typed)
            )
            if number and trial.summary is not None:
                found = read_rows(str(rows), "jsonl", ROW_FIELDS)
                judge.add(f"{combination} {number}", (row for batch in found for row in batch))
            if trial.summary is None:
                failed.add(combination)
            yield trial


def _arguments(typed: dict[str, Any], combination: Combination) -> list[str]:
    """Return the options of `run` that were given, as arguments."""
    found = ["--no-config"]  # `typed` includes the values of files and variables
    for option in _passed(combination):
        if option.variable in _secrets(typed):
            continue
        value = typed[flag_name(option)]
        if isinstance(value, bool):
            found += [option.label] if value else []
        elif isinstance(value, list | tuple):
            found += [f"{option.label}={each}" for each in value]
        elif value is not None and value != shown_default(option):  # in a file it may be a number
            found.append(f"{option.label}={value}")
    return found


def _secrets(typed: dict[str, Any]) -> dict[str, str]:
    """Return the options with secrets as environment variables, since anyone may read the arguments of a
    process."""
    found = {}
    for option in PASSED:
        value = typed[flag_name(option)]
        if option.secret and not option.type.is_body and value:
            found[option.variable] = "\n".join(value) if isinstance(value, list | tuple) else str(value)
    return found


def _progress(trial: Trial, number: int, plan: Plan) -> str:
    width = len(str(plan.trials))
    took = f"{trial.wall:.2f} s" if trial.summary is not None else f"failed: {trial.failure}"
    warm_up = "" if trial.round else "  (to warm up)"
    return f"{number:>{width}}/{plan.trials}  {trial.combination}  {took}{warm_up}"


# Files


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    """Make a directory that is removed at the end, even after Ctrl-C and SIGTERM."""
    from fetchpool.cli.signals import terminable
    from fetchpool.compare.trial import temporary_directory, uninterrupted

    with terminable():
        directory = temporary_directory()
        try:
            yield directory
        finally:
            with uninterrupted():
                shutil.rmtree(directory, ignore_errors=True)


def _stored(name: str, directory: Path) -> str:
    """Return the input. Standard input is stored in a file, since it can be read only once."""
    if name != "-":
        return name
    path = directory / "standard-input"
    with path.open("xb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return str(path)


# Output


def _comparison(
    plan: Plan, urls: int, trials: list[Trial], judge: RowJudge, *, interrupted: bool
) -> Comparison:
    from fetchpool.compare.judge import results
    from fetchpool.compare.table import Comparison

    failures = {trial.combination: trial.failure for trial in trials if trial.summary is None}
    return Comparison(
        plan, urls, results(trials), judge.differences(), tuple(failures.items()), interrupted=interrupted
    )


def _print(comparison: Comparison) -> None:
    from fetchpool.compare.table import lines

    text = "".join(f"{each}\n" for each in lines(comparison))
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _say(text: str) -> None:
    print_lines(sys.stderr, [line(text)])
