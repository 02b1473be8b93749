"""Opens the log of a run in a program: `logging.getLogger("fetchpool")`, if it has a handler. In: the
handlers and levels that the program has set. Out: an observer, or none. The modules for logging are imported
only if they are needed.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack

from fetchpool.config.run_config import RunConfig
from fetchpool.engine.observers import Observer

LOGGER = logging.getLogger("fetchpool")
LOGGER.addHandler(logging.NullHandler())


def open_log(config: RunConfig, stack: ExitStack) -> list[Observer]:
    """Return the observer that logs a run. Leaving `stack` closes it."""
    if not has_handler(LOGGER) or not LOGGER.isEnabledFor(logging.ERROR):
        return []
    from fetchpool.progress.event_logger import started_message
    from fetchpool.progress.python_logger import PythonLogger

    return [stack.enter_context(PythonLogger(LOGGER, started_message(config)))]


def has_handler(logger: logging.Logger) -> bool:
    """Whether a handler would get the records of a logger."""
    found: logging.Logger | None = logger
    while found is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in found.handlers):
            return True
        found = found.parent if found.propagate else None
    return False
