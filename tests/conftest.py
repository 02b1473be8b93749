"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # that of trio, which the notebooks of `[dev]` bring, imports trio
from hypothesis import HealthCheck, settings

from fetchpool.cli.demo_server.server import DemoServer

UNIT = Path(__file__).parent / "unit"

# No deadline for a single example, and none for making examples: on a busy machine it would be a test of the
# machine. The same examples in every run: a change fails by what it changes; `make fuzz` looks for new ones.
settings.register_profile(
    "fetchpool", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", settings.get_profile("fetchpool"), derandomize=False, max_examples=5000)
settings.load_profile("fetchpool")

# The configuration of the user who runs the tests does not apply.
for name in [name for name in os.environ if name.startswith("FETCHPOOL_")]:
    del os.environ[name]
os.environ["XDG_CONFIG_HOME"] = "/dev/null/config"

if sys.platform != "win32":
    import resource

    def pytest_configure() -> None:
        """A test with a thousand clients holds both ends of each connection: more descriptors than
        the usual soft limit of 1024."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 16_384 if hard == resource.RLIM_INFINITY else min(hard, 16_384)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        # A script that runs the tests in the background has them ignore Ctrl-C, and nohup a hangup; what they
        # start would do so as well.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """All tests stay to the end: looking for garbage among them, again and again, finds none."""
    gc.disable()
    try:
        if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            given = getattr(session.config, "workerinput", {"workerid": "gw0", "workercount": 1})
            _compile_a_share(int(given["workerid"].removeprefix("gw")), given["workercount"])
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def _compile_a_share(number: int, workers: int) -> None:
    """Imports all modules with tests. Each worker begins with another one, so that each compiles a part of
    them. In the same order each compiles all: in a new clone, half of the time before the first test."""
    modules = sorted(UNIT.parent.rglob("test_*.py"))
    first = len(modules) * number // workers
    for module in modules[first:] + modules[:first]:
        name = ".".join(module.relative_to(UNIT.parents[1]).with_suffix("").parts)
        with suppress(Exception, pytest.skip.Exception):  # reported when it is collected
            import_module(name)


@pytest.fixture(scope="session")
def demo_server() -> Iterator[DemoServer]:
    """A demo server for the session: make the targets of `/flaky` your own by a query string."""
    with DemoServer() as server:
        yield server


@pytest.fixture
def forked_torture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `bench.endurance.torture` start commands as tests do."""
    from tests.cli.environment import environment
    from tests.cli.runner import popen

    for variable, value in environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr("bench.endurance.torture.subprocess", SimpleNamespace(Popen=popen))
