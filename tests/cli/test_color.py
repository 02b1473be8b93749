"""`--color`, NO_COLOR and FORCE_COLOR: what has escape sequences, and what never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from tests.cli.runner import Terminal, fetchpool

RED = "\x1b[31m"


@pytest.fixture
def failing(demo_server: DemoServer, tmp_path: Path) -> Path:
    (tmp_path / "urls.txt").write_text(demo_server.url(f"/status/404?{tmp_path.name}"))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "env", "colored"),
    [
        ((), {}, False),
        (("--color", "auto"), {}, False),
        (("--color=always",), {}, True),
        (("--color=always",), {"NO_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"CLICOLOR_FORCE": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color=never",), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_pipe_has_colours_only_if_they_are_asked_for(
    failing: Path, options: tuple[str, ...], env: dict[str, str], colored: bool
) -> None:
    done = fetchpool("urls.txt", *options, cwd=failing, env=env or None)
    assert (f"{RED}1 http_404\x1b[0m" in done.stderr) == colored
    assert ("\x1b" in done.stderr) == colored


@pytest.mark.parametrize(
    ("options", "env", "colored"),
    [((), {}, True), (("--color=never",), {}, False), (("--color=always",), {"NO_COLOR": "1"}, True)],
)
def test_a_terminal_has_colours_unless_they_are_refused(
    failing: Path, options: tuple[str, ...], env: dict[str, str], colored: bool
) -> None:
    with Terminal(["urls.txt", "--no-progress", *options], failing, env=env) as terminal:
        assert terminal.wait() == 1
        assert (RED in terminal.screen) == colored
        assert ("\x1b" in terminal.screen) == colored


@pytest.mark.parametrize("command", [(), ("demo",), ("compact",), ("report",)])
def test_another_word_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = fetchpool(*command, "--color", "sometimes", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "fetchpool: --color: 'sometimes' is not one of auto, always, never\n"


def test_an_error_message_has_the_same_choice(tmp_path: Path) -> None:
    done = fetchpool("missing.txt", "--color", "always", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{RED}fetchpool:\x1b[0m ")
