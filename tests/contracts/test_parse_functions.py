"""`parse=` with a function of the program, with every executor."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import fetchpool
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.choices import LOCAL_EXECUTORS

SCRIPT = """
import sys, fetchpool

def size(response):
    return {"length": len(response.content)}

if __name__ == "__main__":
    for record in fetchpool.fetch(sys.argv[1:], parse=size, executor="process", workers=1):
        print(record.extra["length"], record.errormsg)
"""


def size(response: fetchpool.Response) -> dict[str, Any]:
    return {"length": len(response.content)}


def broken(_response: fetchpool.Response) -> dict[str, Any]:
    raise ZeroDivisionError


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
def test_a_functions_fields_are_in_the_row_and_its_name_in_the_message(
    demo_server: DemoServer, executor: str
) -> None:
    (row,) = fetchpool.fetch(
        [demo_server.url("/bytes/7")], parse=[size, broken, "title"], executor=executor, workers=1
    )
    assert row.extra["length"] == 7
    assert row.error == "parse"
    assert "broken raised ZeroDivisionError at test_parse_functions.py:" in (row.errormsg or "")


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_any_callable_is_a_parser_in_threads(demo_server: DemoServer, executor: str) -> None:
    def within(response: fetchpool.Response, *, name: str) -> dict[str, Any]:
        return {name: response.status_code}

    with fetchpool.Pool(1, executor=executor, parse=[partial(within, name="a"), lambda _: {"b": 1}]) as pool:
        row = pool.submit(demo_server.url("/bytes/7")).result()
    assert (row.extra["a"], row.extra["b"]) == (200, 1)


def test_a_function_that_does_not_return_is_named(demo_server: DemoServer) -> None:
    from threading import Event

    release = Event()

    def stays(_response: fetchpool.Response) -> dict[str, Any]:
        release.wait(60)
        return {}

    (row,) = fetchpool.fetch([demo_server.url("/bytes/7")], parse=stays, parse_timeout=0.2)
    release.set()
    assert row.errormsg == "stays did not return within 0.2 s"


def test_processes_import_a_function_of_the_script(demo_server: DemoServer, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), demo_server.url("/bytes/7")],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "7 None\n", done.stderr


def test_processes_refuse_a_function_of_an_interactive_session() -> None:
    code = (
        "import fetchpool\ndef f(r): return {}\n"
        "try: fetchpool.fetch([], parse=f, executor='process')\n"
        "except fetchpool.UsageError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "can't import f from a notebook or an interactive session" in done.stdout
