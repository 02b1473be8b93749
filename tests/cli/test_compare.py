"""`fetchpool compare`: real runs of every kind, their rows and what they took."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.environment import ROOT
from tests.cli.runner import FETCHPOOL, PATIENCE, environment, fetchpool

BURNED = 0.25
PROCESS = ("--executors", "process", "--processes", "1")
PARSER = f"""
import time


def burn(response):
    start = time.process_time()
    while time.process_time() - start < {BURNED}:
        pass
    return {{}}
"""


class Site:
    """Pages on loopback: `/same/N`, `/seen/N`, `/changing/N`, which is larger each time, and `/hanging/N`,
    which sends nothing after the N-th time."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.authorizations: list[str | None] = []
        self.command_lines: list[str] = []
        """Of the trials that ran at requests for `/seen/N`."""
        self.hangs = threading.Event()
        self.over = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests[self.path] += 1
                _, kind, number = self.path.split("/")
                times = site.requests[self.path]
                if kind == "seen":
                    site.authorizations.append(self.headers["Authorization"])
                    site.command_lines += running_trials()
                if kind == "hanging" and times > int(number):
                    site.hangs.set()
                    site.over.wait(PATIENCE)
                    return
                body = b"x" * (times if kind == "changing" else int(number))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # beyond 5, the kernel would have clients wait seconds and try again

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def urls(self, kind: str, number: int) -> str:
        base = f"http://127.0.0.1:{self._server.server_port}/{kind}"
        return "".join(f"{base}/{each}\n" for each in range(1, number + 1))

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def running_trials() -> list[str]:
    """Return the command lines of trials of this package."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            words = path.read_bytes().decode(errors="replace").split("\0")
            if str(ROOT) in words and "run" in words:
                found.append(" ".join(words))
    return found


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.close()


@pytest.fixture(scope="module")
def compared(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A comparison of one process with several, each with a parser that takes CPU time."""
    directory = tmp_path_factory.mktemp("compared")
    (directory / "burning.py").write_text(PARSER)
    listed = site.urls("same", 2)
    arguments = ["-", "--executors", "process,async", "--repeat", "1"]
    passed = ["--limit", "1", "--parse", "burning:burn", "-w", "4", "--processes", "1", "--retry", "0"]
    outputs = [part for suffix in ("json", "md", "html") for part in ("-o", f"found.{suffix}")]
    done = fetchpool("compare", *arguments, *passed, *outputs, stdin=listed, cwd=directory)
    assert done.returncode == 0, done.stderr
    return done, directory


def results(directory: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((directory / "found.json").read_text())
    return {f"{each['executor']} {each['transport']}": each for each in found["results"]}


def test_every_combination_is_measured(compared: Any) -> None:
    _, directory = compared
    found = json.loads((directory / "found.json").read_text())
    assert set(results(directory)) == {"async curl", "process curl"}
    for each in found["results"]:
        assert each["wall"] >= each["p95"] >= each["p50"] > 0
        assert each["memory"] > 10_000_000
        assert each["rate"] == pytest.approx(1 / each["wall"], rel=0.01)
        assert (each["failed"], each["urls"], each["trials"]) == (0, 1, 1)


def test_the_cpu_time_of_worker_processes_is_counted(compared: Any) -> None:
    _, directory = compared
    found = results(directory)
    assert found["async curl"]["cpu"] > BURNED
    # Without its worker processes, a run takes less than one that burns CPU time itself.
    assert found["process curl"]["cpu"] > found["async curl"]["cpu"] * 0.9
    assert found["process curl"]["memory"] > found["async curl"]["memory"]


def test_the_rows_are_said_to_be_the_same_and_the_seed_is_shown(compared: Any) -> None:
    done, directory = compared
    assert done.stdout.splitlines()[-1] == "rows: the same in all 2 trials"
    seed = json.loads((directory / "found.json").read_text())["seed"]
    assert f"--seed {seed}" in done.stdout
    assert len(re.findall(r"^\d/4  ", done.stderr, re.MULTILINE)) == 4


def test_the_table_is_in_every_file_and_nothing_else_is_left(compared: Any) -> None:
    _, directory = compared
    for name in ("found.md", "found.html"):
        text = (directory / name).read_text()
        assert "process" in text
        assert "rows: the same in all 2 trials" in text
    left = {path.name for path in directory.iterdir() if not path.name.startswith("__")}
    assert left == {"burning.py", "found.json", "found.md", "found.html"}


@pytest.mark.usefixtures("compared")
def test_options_of_run_hold_in_every_trial(site: Site) -> None:
    assert site.requests["/same/1"] == 4
    assert site.requests["/same/2"] == 0  # --limit 1


def test_differences_and_what_does_not_exist_are_listed_and_with_strict_the_exit_code_is_1(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "urls").write_text(site.urls("changing", 12))
    combinations = ("--executors", "async", "--transports", "curl,requests")
    done = fetchpool("compare", "urls", *combinations, "--repeat", "2", "--strict", "-q", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "rows: 12 URLs with different results" in done.stdout
    assert done.stdout.count("status 200, 2 bytes: async curl 1\n") == 10
    assert done.stdout.count("status 200, 3 bytes: async curl 2\n") == 10
    assert done.stdout.splitlines()[-1] == "  and 2 more URLs"
    (missing,) = re.findall(r"^  async +requests +– \((.*)\)$", done.stdout, re.MULTILINE)  # noqa: RUF001
    assert missing.startswith("--executor async requires --transport curl")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory with a short path, as a socket in it needs one."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


def test_ctrl_c_ends_the_trial_shows_what_there_is_and_leaves_nothing(
    site: Site, tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "urls").write_text(site.urls("hanging", 1))  # it hangs in the second trial
    running = subprocess.Popen(
        [*FETCHPOOL, "compare", "urls", *PROCESS, "--repeat", "1", "-o", "found.json"],
        cwd=tmp_path,
        env=environment({"TMPDIR": str(temporary)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert site.hangs.wait(PATIENCE)
        assert any(temporary.iterdir())
        children = descendants(running.pid)
        assert len(children) > 1
        running.send_signal(signal.SIGINT)
        printed, _ = running.communicate(timeout=PATIENCE)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130
    assert "interrupted: 0 of 1 trial ended" in printed
    assert json.loads((tmp_path / "found.json").read_text())["interrupted"] is True
    assert not list(temporary.iterdir())
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def test_a_public_host_is_refused_with_its_name_and_the_number_of_requests(tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("http://127.0.0.1:1/\nhttp://93.184.216.34/a\nhttp://93.184.216.34/b\n")
    done = fetchpool("compare", "urls", "--transports", "curl,requests", "--repeat", "4", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "93.184.216.34 is a public host" in done.stderr
    assert "3 URLs × 25 trials are 75 requests" in done.stderr  # noqa: RUF001
    assert "--yes" in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name != "urls"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "missing argument INPUT"),
        (("none.txt",), "no such file"),
        (("http://127.0.0.1:1/", "--executors", "thread,treads"), "'treads' is not one of"),
        (
            ("http://127.0.0.1:1/", "--executors", "async", "--transports", "requests"),
            "requires --transport curl",
        ),
        (("http://127.0.0.1:1/", "--repeat", "0"), "--repeat"),
        (("http://127.0.0.1:1/", "-w", "many"), "--workers"),
        (("http://127.0.0.1:1/", "--processes", "0"), "--processes"),
        (("http://127.0.0.1:1/", "-u", "name"), "--user"),
        (("http://127.0.0.1:1/", "-o", "found.txt"), "found.txt: a comparison is written to"),
        (("http://127.0.0.1:1/", "--executor", "async"), "did you mean --executors?"),
        ((os.devnull,), "the list is empty"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_first_trial(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = fetchpool("compare", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_trial_that_fails_is_reported_with_its_reason(site: Site, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import os\n\n\ndef parse(response):\n    os._exit(9)\n")
    (tmp_path / "urls").write_text(site.urls("same", 1))
    arguments = ("--executors", "thread", "--repeat", "1", "--parse", "broken:parse", "--retry", "0")
    done = fetchpool("compare", "urls", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert "thread curl: a trial failed: it ended with exit code 9" in done.stdout


def test_variables_and_files_set_options_of_the_trials_and_no_password_is_an_argument(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "urls").write_text(site.urls("seen", 2))
    (tmp_path / "fetchpool.toml").write_text("limit = 1\nretry = 0\n")
    variables = {"FETCHPOOL_USER": "name:secret", "FETCHPOOL_WEB": "1", "FETCHPOOL_OUTPUT": "other"}
    arguments = ("compare", "urls", "--executors", "async", "--repeat", "1", "-q")
    done = fetchpool(*arguments, cwd=tmp_path, env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert site.requests["/seen/1"] == 2
    assert site.requests["/seen/2"] == 0
    assert set(site.authorizations) == {"Basic bmFtZTpzZWNyZXQ="}
    assert not [line for line in site.command_lines if "secret" in line]
    assert len(site.command_lines) >= 2  # other tests may run trials meanwhile
    assert {path.name for path in tmp_path.iterdir()} == {"urls", "fetchpool.toml"}
