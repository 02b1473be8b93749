"""The examples of docs/usage/python.md with other libraries, run where these are installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "usage" / "python.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run_example(library: str, server: DemoServer) -> None:
    (code,) = [each for each in EXAMPLES if f"import {library}\n" in each]
    code = code.replace("https://example.org/", server.url("/page/1"))
    exec(code.replace("https://example.com/", server.url("/page/2")), {"__name__": "example"})


def test_asyncio(demo_server: DemoServer, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("asyncio", demo_server)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert "None" not in "".join(lines)


def test_steering(demo_server: DemoServer, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("threading", demo_server)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_pandas(demo_server: DemoServer, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    run_example("pandas", demo_server)
    assert "Demo page 2" in capsys.readouterr().out


def test_duckdb(
    demo_server: DemoServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    options = ["-q", "--keep", "body,text", "-o", "pages.parquet"]
    assert main([demo_server.url("/page/1"), *options]) == 0
    run_example("duckdb", demo_server)
    assert "<!DOCTYPE html>" in capfd.readouterr().out
