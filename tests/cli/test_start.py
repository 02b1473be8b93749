"""Start-up: only modules that are used are imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fetchpool.engine import engine
from fetchpool.model.version import VERSION
from tests.cli.runner import environment, fetchpool


def loaded_by(*arguments: str) -> set[str]:
    """Return the names of the modules that the command imports, as `python -X importtime` lists them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fetchpool", *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }


WEB = ("starlette", "uvicorn", "h11", "prometheus_client", "fetchpool.web")
REPORT = ("jinja2", "markupsafe", "fetchpool.report")
SUFFIX = "" if engine.__file__.endswith(".py") else " (compiled)"


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_printed_without_loading_the_command_line(flag: str) -> None:
    done = fetchpool(flag)
    assert (done.stdout, done.stderr, done.returncode) == (f"fetchpool {VERSION}{SUFFIX}\n", "", 0)
    assert not {
        "typer",
        "rich",
        "pycurl",
        "requests",
        "fetchpool.cli",
        "fetchpool.engine.engine",
    } & loaded_by(flag)


def test_the_version_is_printed_with_other_options_too(tmp_path: Path) -> None:
    done = fetchpool("urls.txt", "-w", "3", "-V", cwd=tmp_path)
    assert (done.stdout, done.returncode) == (f"fetchpool {VERSION}{SUFFIX}\n", 0)


def test_the_help_loads_neither_display_nor_transports_nor_typers_converters() -> None:
    unused = {"rich", "pycurl", "requests", "pydantic", "fetchpool.engine.engine", *WEB, *REPORT}
    assert not unused & loaded_by("--help")


def test_a_run_with_curl_loads_none_of_the_modules_for_http_of_the_standard_library(tmp_path: Path) -> None:
    loaded = loaded_by("-", "-o", str(tmp_path / "sizes.txt"), "--executor", "async")
    assert "fetchpool.engine.engine" in loaded
    assert not {"ssl", "http.client", "email.parser", *WEB, *REPORT} & loaded


@pytest.mark.parametrize(("transport", "other"), [("curl", "requests"), ("requests", "pycurl")])
def test_a_run_loads_one_transport_and_without_a_terminal_no_display(
    transport: str, other: str, tmp_path: Path
) -> None:
    loaded = loaded_by("-", "-o", str(tmp_path / "sizes.txt"), "--transport", transport)
    assert "fetchpool.engine.engine" in loaded
    assert not any(name.startswith("fetchpool.compare") for name in loaded)
    unused = {"rich", "fetchpool.progress.keyboard", "pydantic", other}
    unused |= {"fetchpool.cli.demo_server.server", "fetchpool.http.parsers.markup"}
    assert not unused & loaded


def test_completion_offers_commands_options_and_choices() -> None:
    def offered(line: str) -> list[str]:
        words = line.split(" ")
        asked = {
            "_FETCHPOOL_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        return fetchpool(env=asked).stdout.split()

    assert offered("fetchpool de") == ["demo"]
    assert "--max-time" in offered("fetchpool urls.txt --max")
    assert offered("fetchpool --executor th") == ["thread"]
    assert offered("fetchpool demo --transport ") == ["curl", "requests"]
    assert offered("fetchpool url") == []  # the shell offers its files then


def test_completion_is_set_up_by_typers_own_flags() -> None:
    done = fetchpool("--show-completion", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert "requires an argument" in done.stderr  # it asks which shell, having found none
    done = fetchpool("--show-completion", "bash", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert "_FETCHPOOL_COMPLETE=complete_bash" in done.stdout
