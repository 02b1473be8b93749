"""Reports the end of a run: on standard error, in the log file and on the web page.

In: the result of the run and its exit code. Out: the summary as text or JSON, and log entries, each once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from fetchpool.cli.again import resume_hint, retry_hint
from fetchpool.cli.display import DisplayOptions, print_lines
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.engine import RunResult
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import Record
from fetchpool.progress.format import Line, line
from fetchpool.progress.snapshot_json import encode_line
from fetchpool.progress.summary import headline, summary
from fetchpool.progress.summary_json import Summary, summary_object

if TYPE_CHECKING:  # loaded only with an option
    from fetchpool.cli.json_stderr import JsonStderr
    from fetchpool.history.refresh import PreviousRun
    from fetchpool.progress.log_file import LogFile
    from fetchpool.web.launch import WebPage


class SavedBodyCounter(Observer):
    """Counts the rows whose body was saved."""

    def __init__(self) -> None:
        self.saved = 0

    def on_records(self, records: list[Record]) -> None:
        self.saved += sum(1 for record in records if "filename_effective" in record.extra)


class Ending:
    """Reports the end of one run."""

    def __init__(
        self,
        config: RunConfig,
        display: DisplayOptions,
        *,
        repeatable: bool,
        arguments: Sequence[str] | None,
        log: LogFile | None,
        stderr: JsonStderr | None,
    ) -> None:
        """`stderr`: the writer of `--progress json`, or None."""
        self._config = config
        self._display = display
        self._repeatable = repeatable
        self._arguments = arguments
        self._log = log
        self._stderr = stderr
        self.bodies = SavedBodyCounter()
        self.old: PreviousRun | None = None
        """The earlier run of `--refresh`."""
        self.page: WebPage | None = None

    def completed(self, result: RunResult, code: ExitCode) -> None:
        """Report the result of a run that was completed or interrupted."""
        self._log_end(result, code, result.lost or result.input_failure or str(headline(result)))
        lines: list[Line] = []
        if self.page is not None or (self._prints_text and not self._display.quiet):
            lines = self._lines(result)
        if not self._prints_text:
            self._write_json(result, code)
        elif not self._display.quiet:
            print_lines(sys.stderr, lines)
        if self._log is not None and not self._display.quiet and (problem := self._log.take_problem()):
            print_lines(sys.stderr, [line(f"fetchpool: {problem}")])
        if self.page is not None:
            self.page.end(code, [str(each) for each in lines])

    def failed(self, result: RunResult, error: OutputError) -> OutputError:
        """Report that an output could not be written. Return the error with the instruction for continuing
        the run, which the caller prints."""
        if self._repeatable and (hint := resume_hint(self._config)):
            error = OutputError(f"{error}; to continue, {hint}")
        self._log_end(result, ExitCode.OUTPUT, str(error))
        if self.page is not None:
            self.page.end(ExitCode.OUTPUT, [str(error)])
        if not self._prints_text:
            self._write_json(result, ExitCode.OUTPUT)
        return error

    def closed(self, result: RunResult) -> None:
        """Report that the reader has closed standard output. No text is printed."""
        self._log_end(result, ExitCode.OK, str(headline(result)))
        if self.page is not None:
            self.page.end(ExitCode.OK)
        if self._stderr is not None:
            self._write_json(result, ExitCode.OK)

    def raised(self, error: BaseException) -> None:
        """Log an exception, which the caller re-raises."""
        if self._log is not None:
            code = _code_of(error)
            self._log.end(str(error) or type(error).__name__, code, None, is_error=True)

    @property
    def _prints_text(self) -> bool:
        return self._stderr is None and self._display.summary != "json"

    def _log_end(self, result: RunResult, code: ExitCode, message: str) -> None:
        if self._log is not None:
            is_error = code in (ExitCode.USAGE, ExitCode.OUTPUT, ExitCode.CLUSTER)
            self._log.end(message, code, result.snapshot, is_error=is_error)

    def _lines(self, result: RunResult) -> list[Line]:
        errors = [failed.kind for failed in result.snapshot.failed]
        return summary(
            result,
            self._config,
            resume=resume_hint(self._config) if self._repeatable else "",
            again=retry_hint(self._config, self._arguments, errors) if self._repeatable else "",
            saved=self.bodies.saved,
            changes=None if self.old is None else asdict(self.old.changes),
        )

    def _write_json(self, result: RunResult, code: ExitCode) -> None:
        """Print the summary as one line of JSON, or store it for the end of the command."""
        summarize = partial(self._summary, result)
        if self._stderr is not None:
            self._stderr.summary = summarize
            return
        with suppress(OSError):  # stderr is closed; the rows are written
            sys.stderr.write(f"{encode_line(summarize(code)).decode()}\n")
            sys.stderr.flush()

    def _summary(self, result: RunResult, code: int) -> Summary:
        changes = None if self.old is None else asdict(self.old.changes)
        return summary_object(result, self._config, code, saved=self.bodies.saved, changes=changes)


def _code_of(error: BaseException) -> int:
    """Return the exit code of a command that ends with this exception."""
    if isinstance(error, OutputError):
        return ExitCode.OUTPUT
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else ExitCode.FAILED
