"""Tests that mostly wait, run at the same time: a group takes as long as the slowest of its tests.

In: the tests of a group, with each of their parameters. Out: each has its own result, as if it had run by
itself. They run in threads, so they must not patch anything or look at the threads of this process. What they
use, such as servers, is opened for each of them; fixtures are shared, except for their parameters.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

Opener = Callable[..., AbstractContextManager[Any]]
PROVIDED = ("request", "tmp_path_factory")


class AtOnce:
    """A group: a decorator for its tests. `opened`: by the name of an argument, what opens it. What an opener
    requires is an argument of the test as well."""

    def __init__(self, **opened: Opener) -> None:
        self._opened = opened
        self._results: dict[str, Future[None]] = {}
        """By the id of the test."""

    def __call__(self, test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(
            request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, **_: object
        ) -> None:
            if request.node.nodeid not in self._results:
                self._run(request, tmp_path_factory)
            self._results.pop(request.node.nodeid).result()

        names = [*self._given(test), *PROVIDED]
        signature = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
        run.__dict__.update(__signature__=inspect.Signature(signature), group=self, test=test)
        return run

    def _arguments(self, function: Callable[..., Any]) -> Iterator[str]:
        """The names of a function's arguments, each after those that its opener requires."""
        for name in required(function):
            if name in self._opened:
                yield from self._arguments(self._opened[name])
            yield name

    def _given(self, test: Callable[..., None]) -> list[str]:
        """The names of the arguments that pytest has: parameters and fixtures."""
        names = dict.fromkeys(self._arguments(test))
        return [name for name in names if name not in self._opened and name != "tmp_path"]

    def _run(self, request: pytest.FixtureRequest, directories: pytest.TempPathFactory) -> None:
        """Run a test and those that come after it. Those before it have run, perhaps in another process."""
        items = [item for item in request.session.items if isinstance(item, pytest.Function)]
        for item in items[items.index(request.node) :]:
            if getattr(item.function, "group", None) is not self:
                continue
            test: Callable[..., None] = item.function.test
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            arguments = {
                name: parameters[name] if name in parameters else request.getfixturevalue(name)
                for name in self._given(test)
            }
            if "tmp_path" in self._arguments(test):
                arguments["tmp_path"] = directories.mktemp("at-once")
            result = self._results[item.nodeid] = Future[None]()
            threading.Thread(target=self._run_one, args=(test, arguments, result), daemon=True).start()
        wait(list(self._results.values()))

    def _run_one(self, test: Callable[..., None], arguments: dict[str, Any], result: Future[None]) -> None:
        try:
            with ExitStack() as stack:
                for name in self._arguments(test):
                    if name not in arguments:
                        opener = self._opened[name]
                        opened = opener(**{needed: arguments[needed] for needed in required(opener)})
                        arguments[name] = stack.enter_context(opened)
                test(**{name: arguments[name] for name in required(test)})
        except BaseException as error:  # noqa: BLE001, a skipped test, too
            result.set_exception(error)
        else:
            result.set_result(None)


def required(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments that a function can't be called without."""
    parameters = inspect.signature(function).parameters.values()
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
