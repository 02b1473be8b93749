"""Tests that mostly wait, run at the same time: a group takes as long as the slowest of its tests.

In: the tests of a group, with each of their parameters. Out: each has its own result, as if it had run by
itself. They run in threads, so they must not patch anything or look at the threads of this process. What they
use, such as servers, is opened for each of them; fixtures are shared.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

Opener = Callable[[], AbstractContextManager[Any]]
PROVIDED = ("request", "tmp_path_factory")


class AtOnce:
    """A group: a decorator for its tests. `opened`: by the name of an argument, what opens it."""

    def __init__(self, **opened: Opener) -> None:
        self._opened = opened
        self._results: dict[str, Future[None]] = {}
        """By the id of the test."""

    def __call__(self, test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(
            request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, **given: object
        ) -> None:
            if request.node.nodeid not in self._results:
                self._run(request, tmp_path_factory, given)
            self._results.pop(request.node.nodeid).result()

        own = [
            parameter
            for name, parameter in inspect.signature(test).parameters.items()
            if name not in self._opened and name != "tmp_path"
        ]
        provided = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in PROVIDED]
        run.__dict__.update(__signature__=inspect.Signature([*own, *provided]), group=self, test=test)
        return run

    def _run(
        self, request: pytest.FixtureRequest, directories: pytest.TempPathFactory, given: dict[str, Any]
    ) -> None:
        """Run a test and those that come after it. Those before it have run, perhaps in another process."""
        items = [item for item in request.session.items if isinstance(item, pytest.Function)]
        for item in items[items.index(request.node) :]:
            if getattr(item.function, "group", None) is not self:
                continue
            test: Callable[..., None] = item.function.test
            names = inspect.signature(test).parameters
            known = given | (item.callspec.params if hasattr(item, "callspec") else {})
            arguments = {name: value for name, value in known.items() if name in names}
            if "tmp_path" in names:
                arguments["tmp_path"] = directories.mktemp("at-once")
            result = self._results[item.nodeid] = Future[None]()
            threading.Thread(target=self._run_one, args=(test, arguments, result), daemon=True).start()
        wait(list(self._results.values()))

    def _run_one(self, test: Callable[..., None], arguments: dict[str, Any], result: Future[None]) -> None:
        try:
            with ExitStack() as stack:
                for name in inspect.signature(test).parameters:
                    if name in self._opened:
                        arguments[name] = stack.enter_context(self._opened[name]())
                test(**arguments)
        except BaseException as error:  # noqa: BLE001, a skipped test, too
            result.set_exception(error)
        else:
            result.set_result(None)
