"""`fetchpool report OUT...`: reports on runs from their outputs, as a page, text or JSON.

In: outputs of runs. Out: a report in a file or on standard output, and one line on stderr about it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from fetchpool.cli.configuration import configured
from fetchpool.cli.display import print_lines
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import argument, parameter, takes
from fetchpool.config import validate
from fetchpool.config.command_options import REPORT_JSON, REPORT_OUTPUT, REPORT_TERM
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.outputs import Output, parse_outputs
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import Line, Span, Style, counted, line

if TYPE_CHECKING:
    from fetchpool.config.run_config import RunConfig
    from fetchpool.report.build import Gathered
    from fetchpool.report.write import Form

CONFIGURABLE = ("seen_memory", "quiet", "color")
"""Options that the configuration can set."""


@takes(
    argument("outputs", "OUT", "Outputs of runs; the last row of a URL counts."),
    parameter(REPORT_OUTPUT),
    parameter(REPORT_TERM),
    parameter(REPORT_JSON),
    parameter(
        OPTIONS["format"],
        help="Format of every OUT: text, jsonl, csv, tsv, sqlite or parquet. By default the suffix decides.",
        group="Input",
    ),
    *(parameter(OPTIONS[name]) for name in (*CONFIGURABLE, "config", "no_config")),
)
def report(
    ctx: typer.Context,
    outputs: list[str] | None,
    output: str | None,
    as_text: bool,
    as_json: bool,
    format: str | None,
    **typed: Any,
) -> int:
    """Report what failed, how long it took, and when, from the outputs of runs.

    The report is a page (-o report.html), text (--term, the default on a terminal) or JSON (--json).
    """
    if not outputs:
        raise UsageError("missing argument OUT, e.g. fetchpool report results.jsonl -o report.html")
    read = parse_outputs(outputs, format)
    if any(each.path == "-" for each in read):
        raise UsageError(
            "OUT: a report can't read standard input; write the rows to a file first, e.g. -o rows.jsonl"
        )
    configuration = configured(ctx, typed, [OPTIONS[name] for name in CONFIGURABLE])
    with configuration.naming_origins():
        memory = validate.size("--seen-memory", configuration.values["seen_memory"])
    from fetchpool.history.final_rows import check_output
    from fetchpool.report import build, write

    for each in read:
        check_output(each)
    if output is None and not as_json:
        as_text = as_text or sys.stdout.isatty()
    written, printed = _forms(output, as_text, as_json)

    if output is not None and written is not None:
        write.check_path("--output", output)
    found = build.gather(read, memory=memory)
    if output is not None and written is not None:
        write.write("--output", output, build.content(found.numbers, written))
    if printed is not None:
        _print(found, printed)
    if not configuration.values["quiet"] and printed is None and output is not None:
        print_lines(sys.stderr, [_summary(found, output)])
    return ExitCode.OK


def output_of_run(path: str, config: RunConfig) -> Output:
    """Return the output that `--report` reads after the run. Raises `UsageError`, before anything is fetched,
    if no report can be made."""
    from fetchpool.report.write import check_path, form_of

    output = next((each for each in config.outputs if each.path != "-"), None)
    if output is None:
        raise UsageError("--report reads an output file; add one, e.g. -o results.jsonl")
    if config.write_out or (config.fields and not {"url", "error"} <= set(config.fields)):
        raise UsageError("--report needs rows with the fields url and error")
    form_of("--report", path)
    check_path("--report", path)
    return output


def report_run(path: str, config: RunConfig, *, quiet: bool) -> None:
    """Write the report of a run. Raises `UsageError` and `OutputError`."""
    from fetchpool.progress.summary import LABEL_WIDTH
    from fetchpool.report import build, write

    numbers = build.gather([output_of_run(path, config)], memory=config.seen_memory).numbers
    write.write("--report", path, build.content(numbers, write.form_of("--report", path)))
    if not quiet:
        print_lines(
            sys.stderr, [line(Span("report".ljust(LABEL_WIDTH), Style.QUIET), escape_invisible(path))]
        )


def _forms(output: str | None, as_text: bool, as_json: bool) -> tuple[Form | None, Form | None]:
    """Return the form written to the file, and the form written to standard output."""
    from fetchpool.report.write import Form, form_of

    asked = [form for form, wanted in ((Form.JSON, as_json), (Form.TEXT, as_text)) if wanted]
    written = None
    if output == "-":
        asked = asked or [Form.PAGE]
    elif output is not None:
        written = form_of("--output", output, asked[0] if asked else None)
        asked = [form for form in asked if form is not written]
    elif not asked:
        raise UsageError("nothing to write; name a file, e.g. -o report.html, or choose --term or --json")
    if len(asked) > 1:
        raise UsageError("--term and --json are mutually exclusive on standard output")
    return written, asked[0] if asked else None


def _print(found: Gathered, form: Form) -> None:
    from fetchpool.report.build import content
    from fetchpool.report.write import Form

    if form is Form.TEXT:
        from fetchpool.report.term import lines

        print_lines(sys.stdout, lines(found.numbers))
        return
    sys.stdout.buffer.write(content(found.numbers, form))
    sys.stdout.buffer.flush()


def _summary(found: Gathered, output: str) -> Line:
    numbers = found.numbers
    parts: list[Span | str] = [f"{escape_invisible(output)}: {counted(numbers.total, 'URL')}"]
    if numbers.failed:
        parts += [", ", Span(f"{numbers.failed:,} failed", Style.BAD)]
    elif numbers.total:
        parts += [", ", Span("all ok", Style.GOOD)]
    if found.superseded:
        parts.append(f"; {counted(found.superseded, 'superseded row')} left out")
    if found.unreadable:
        parts.append(f"; {counted(found.unreadable, 'unreadable line')} left out")
    return line(*parts)
