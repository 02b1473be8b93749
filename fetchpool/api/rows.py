"""The iterators that `fetch()` and `afetch()` return: they yield the rows of a run and can steer it.

In: a generator of rows, and calls of `pause()` and the like from any thread. Out: the rows, and commands to
the run's engine. Commands from before the start of the run are stored until then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from threading import Lock
from typing import Any

from fetchpool.api.keywords import in_keywords
from fetchpool.config import steering
from fetchpool.config.run_config import RunConfig
from fetchpool.model.errors import UsageError
from fetchpool.model.record import Record
from fetchpool.model.steering import Command, Pause, Resize, Resume, Stop

BY = "by the program"


def with_max_workers(config: RunConfig) -> RunConfig:
    """Return the configuration with `max_workers`, if it was passed, as the ceiling of `resize()`."""
    if config.max_workers is None:
        return config
    from fetchpool.config.ceiling import with_ceiling

    return with_ceiling(config)


class Controls:
    """Passes commands to a run."""

    def __init__(self, config: RunConfig) -> None:
        self.ceiling = config.ceiling or config.workers
        self._lock = Lock()
        self._early: list[Command] = []
        """Commands that arrived before the run began."""
        self._steer: Callable[[Command, str], None] | None = None

    def connect(self, steer: Callable[[Command, str], None]) -> None:
        """Send commands to this function from now on."""
        with self._lock:
            early, self._early = self._early, []
            for command in early:
                steer(command, BY)
            self._steer = steer

    def disconnect(self) -> None:
        """Drop the run, which has ended."""
        with self._lock:
            self._steer = _ignore

    def send(self, command: Command) -> None:
        """Send a command to the run. Any thread may call this."""
        with self._lock:
            if self._steer is None:
                self._early.append(command)
            else:
                self._steer(command, BY)


class Steered:
    """A run that can be steered from any thread, even before the first row."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def pause(self) -> None:
        """Start no more requests until `resume()`. Those in flight complete, and their rows are returned;
        then the loop over the rows waits, so `resume()` must be called in another thread or task."""
        self._controls.send(Pause())

    def resume(self) -> None:
        """Start requests again, also after `stop()`."""
        self._controls.send(Resume())

    def resize(self, workers: int | str) -> None:
        """Set the number of workers, or `auto`. It can exceed the initial number if `max_workers` was passed.
        Raises `UsageError`."""
        with in_keywords():
            number = steering.workers(workers)
            if isinstance(number, int) and number > self._controls.ceiling:
                most = f"more than {self._controls.ceiling}; pass --max-workers at the start"
                raise UsageError(f"--workers: {number} is {most}")
        self._controls.send(Resize(number))

    def stop(self) -> None:
        """Start no more requests. Those in flight complete, and the loop over the rows ends after them."""
        self._controls.send(Stop())


class Rows(Steered, Iterator[Record]):
    """The rows of `fetch()`, an iterator.

    When nothing refers to it any more, it is closed.
    """

    def __init__(self, rows: Generator[Record, None, None], controls: Controls) -> None:
        super().__init__(controls)
        self._rows = rows

    def __next__(self) -> Record:
        return next(self._rows)

    def close(self) -> None:
        """Cancel the requests in flight and close everything, as leaving the loop does."""
        self._rows.close()


class AsyncRows(Steered, AsyncIterator[Record]):
    """The rows of `afetch()`, an async iterator."""

    def __init__(self, rows: AsyncGenerator[Record, None], controls: Controls) -> None:
        super().__init__(controls)
        self._rows = rows

    def __anext__(self) -> Any:
        return self._rows.__anext__()

    async def aclose(self) -> None:
        """Cancel the requests in flight and close everything, as cancelling the task does."""
        await self._rows.aclose()


def _ignore(_command: Command, _by: str) -> None:
    """Do nothing: the run has ended."""
