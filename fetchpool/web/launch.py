"""The web page of a run, in the run's process: starts the child process that serves it, and exchanges
messages with it.

In: the run's events and snapshots, as an observer. Out: messages on the child's standard input, written by a
thread, which skips outdated snapshots, so a child that does not read costs the run nothing. Commands from the
child's standard output are passed to the engine. Neither Starlette nor uvicorn is imported here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, time

import msgspec

from fetchpool.config import steering
from fetchpool.config.web_options import TOKEN_VARIABLE, WebOptions
from fetchpool.engine import events
from fetchpool.engine.events import Event, Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import UsageError
from fetchpool.model.steering import Command
from fetchpool.progress.background_writer import BackgroundWriter
from fetchpool.progress.snapshot_json import encode
from fetchpool.runtime import threads
from fetchpool.web import messages
from fetchpool.web.listen import access, link, listen, new_token, warning
from fetchpool.web.messages import End, Link, Notice, RunInfo, Start, Update

WRITE_INTERVAL = 0.25
"""Minimum seconds between two snapshots for the page."""
MAX_PENDING = 100
"""Maximum number of notices queued for the child."""
LAST_WAIT = 1.8
"""Maximum seconds for the child to end, while open tabs fetch the final numbers."""
FROM_PAGE = "from the web page"
LINK = "web page: {}"
READ_ONLY_LINK = "web page, read-only: {}"
DIED = "the web page has ended ({reason}); the run continues without it"

CHILD = (sys.executable, "-P", "-m", "fetchpool.web.child")


class WebPage(Observer):
    """The page of one run. A context manager, which kills the child after an exception; otherwise call
    `end()`."""

    wants_details = True

    def __init__(self, options: WebOptions, notify: Callable[[str], None]) -> None:
        """Open the listening socket. `notify` shows the user one line. Raises `UsageError`."""
        self._options = options
        self._notify = notify
        self._listener = listen(options)
        self._port: int = self._listener.getsockname()[1]
        self._access = access(options, self._port)
        self._steer: Callable[[Command, str], None]
        self._has_begun = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._writer: BackgroundWriter[messages.Message] = BackgroundWriter(
            self._write, WRITE_INTERVAL, MAX_PENDING
        )
        self._newest: Snapshot | None = None
        self._reason: str | None = None
        """Why the child ended before the run."""
        self._is_ending = False
        self._is_reported = False

    @property
    def lines(self) -> list[str]:
        """The lines for the user: the link, and a warning if the address is not local."""
        address = link(self._options, self._port, self._access.links[0])
        caution = warning(self._options, self._port)
        return [LINK.format(address), *([caution] if caution else [])]

    def start(self, run: RunInfo) -> None:
        """Start the child."""
        path = os.pathsep.join(each for each in sys.path if each)
        environment = {**os.environ, "PYTHONPATH": path}
        environment.pop(TOKEN_VARIABLE, None)
        number = self._listener.fileno()
        try:
            self._child = subprocess.Popen(
                [*CHILD, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[number],
                env=environment,
                bufsize=0,
                process_group=0,  # Ctrl-C and Ctrl-Z are for the run
            )
        except OSError as error:
            raise UsageError(f"--web: the process of the page can't be started: {error.strerror}") from None
        finally:
            self._listener.close()
        self._writer.start()
        self._writer.write(Start(self._access, run))
        threads.start(self._read, "fetchpool-web")

    def steered_by(self, steer: Callable[[Command, str], None]) -> None:
        """Pass the page's commands to this function, in another thread. Commands that arrived earlier wait
        for this call."""
        self._steer = steer
        self._has_begun.set()

    def show_link(self, *, read_only: bool = False) -> None:
        """Show the user a new link, which works once. A `read_only` link is for others, and can't steer the
        run. Any thread may call this."""
        token = new_token()
        self._writer.write(Link(token, read_only))
        text = READ_ONLY_LINK if read_only else LINK
        self._notify(text.format(link(self._options, self._port, token)))

    def on_start(self, snapshot: Snapshot) -> None:
        self.on_snapshot(snapshot)

    def on_event(self, event: Event) -> None:
        if isinstance(event, events.Notice):
            self._writer.write(Notice(time(), event.text), len(event.text))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if self._reason is not None:
            if not self._is_reported:
                self._is_reported = True
                self._notify(DIED.format(reason=self._reason))
            return
        self._newest = snapshot
        self._writer.wake()

    def on_finish(self, snapshot: Snapshot) -> None:
        self.on_snapshot(snapshot)

    def end(self, exit_code: int, summary: Sequence[str] = ()) -> None:
        """Show the final state of the run, and wait briefly until open tabs have fetched it. Idempotent."""
        child = self._child
        if child is None or self._is_ending:
            return
        self._is_ending = True
        deadline = monotonic() + LAST_WAIT
        self._writer.write(End(exit_code, tuple(summary)))
        self._writer.close(LAST_WAIT)
        try:
            child.wait(max(deadline - monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            child.kill()  # for example, it was suspended
            child.wait()
        assert child.stdin is not None
        with suppress(OSError):
            child.stdin.close()

    def __enter__(self) -> WebPage:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._listener.close()
        child = self._child
        if failure is not None and child is not None and not self._is_ending:
            self._is_ending = True
            child.kill()
            child.wait()

    def _write(self, pending: list[messages.Message], _dropped: int, _last: bool) -> None:
        """Write messages to the child, in the writer's thread. An `OSError` ends the writing."""
        assert self._child is not None
        assert self._child.stdin is not None
        snapshot, self._newest = self._newest, None
        if snapshot is not None:
            place = 1 if pending and isinstance(pending[0], Start) else 0
            pending.insert(place, Update(msgspec.Raw(encode(snapshot))))
        left = memoryview(b"".join(map(messages.encode, pending)))
        while left:
            left = left[self._child.stdin.write(left) :]

    def _read(self) -> None:
        """Pass the child's commands on, in a thread."""
        assert self._child is not None
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            # The pipe is unbuffered, so that each line is read as soon as it is written.
            for line in iter(lines.readline, b""):
                try:
                    command = steering.decode(line)
                except UsageError:
                    continue
                self._has_begun.wait()
                self._steer(command, FROM_PAGE)
        if not self._is_ending:
            with suppress(subprocess.TimeoutExpired):
                code = self._child.wait(1.0)
                self._reason = f"exit code {code}" if code >= 0 else f"signal {-code}"
            self._reason = self._reason or "it closed its output"
