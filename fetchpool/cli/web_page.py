"""Opens the web page of a session (`--web`) before the run, and prints its link on standard error. In: the
options and the run's configuration. Out: the observer that serves the page. The link is printed even with
`--quiet`, because the user has asked for it; it is not a notice, so that no log contains it.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from time import time

from fetchpool.cli.display import print_lines
from fetchpool.config.run_config import RunConfig
from fetchpool.config.web_options import WebOptions
from fetchpool.engine.events import SIZE_BOUNDS, TIME_BOUNDS
from fetchpool.engine.observers import Observer, Observers
from fetchpool.model.urls import redact
from fetchpool.model.version import VERSION
from fetchpool.progress.format import line
from fetchpool.web.launch import WebPage
from fetchpool.web.messages import RunInfo


def open_page(
    options: WebOptions,
    config: RunConfig,
    shown: Sequence[Observer],
    stack: ExitStack,
    arguments: Sequence[str] | None,
) -> WebPage:
    """Start the page's process and print the link. `shown`: the observers for messages about the page;
    `arguments`: the arguments of the command, if they can be shown. Leaving `stack` ends the process if the
    run was not ended by `WebPage.end()`. Raises `UsageError`."""
    page = stack.enter_context(WebPage(options, Observers(tuple(shown)).notify))
    page.start(
        RunInfo(
            version=VERSION,
            command="" if arguments is None else shlex.join(["fetchpool", *arguments]),
            inputs=tuple(redact(each) if "://" in each else each for each in config.inputs),
            outputs=tuple(output.path for output in config.outputs),
            executor=config.executor,
            transport=config.fetch.transport,
            started=time(),
            pid=os.getpid(),
            ceiling=config.ceiling or config.workers,
            read_only=options.read_only,
            time_bounds=TIME_BOUNDS,
            size_bounds=SIZE_BOUNDS,
        )
    )
    print_lines(sys.stderr, [line(f"fetchpool: {each}") for each in page.lines])
    return page
