"""Surroundings: no threads available, no home directory, no locale, a removed working directory. What is not
essential is skipped; for the rest there is exit code 2 and a line that names the fix."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from fetchpool.config.choices import LOCAL_EXECUTORS
from tests.cli import runner
from tests.cli.environment import ROOT
from tests.faults.server import FaultServer

FEW_THREADS = """
import os, threading

starts = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"
begin, left = getattr(threading, starts), [int(os.environ["THREADS"])]

def limited(*arguments, **more):
    if not left[0]:
        raise RuntimeError("can't start new thread")
    left[0] -= 1
    return begin(*arguments, **more)

setattr(threading, starts, limited)
"""


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
def test_73_without_threads_the_run_is_rejected_in_one_line(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """`ulimit -u`, a container's limit of processes. With fewer threads than workers the run continues with
    those."""
    (tmp_path / "sitecustomize.py").write_text(FEW_THREADS)
    urls = [server.url(f"ok?{number}") for number in range(20)]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    codes = []
    workers = "2" if executor == "process" else "20"
    for threads in (0, 3, 40):
        rows = f"rows{threads}.jsonl"
        done = runner.fetchpool(
            *("urls.txt", "-o", rows, "--executor", executor, "-w", workers, "--per-host", "0", "--quiet"),
            cwd=tmp_path,
            env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "THREADS": str(threads)},
        )
        codes.append(done.returncode)
        file = tmp_path / rows
        written = [json.loads(line)["url"] for line in file.read_text().splitlines()] if file.exists() else []
        assert len(set(written)) == len(written)
        if done.returncode == 0:
            assert set(written) == set(urls)
            assert done.stderr == ""
        else:
            assert done.returncode == 2
            assert re.match("fetchpool: .*no (thread|processes) can be started", done.stderr)
            assert done.stderr.count("\n") == 1
    assert codes[0] == 2
    assert codes == sorted(codes, reverse=True)
    assert codes[-1] == 0


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_73_a_removed_working_directory_affects_only_relative_paths(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """A symbolic link to itself is rejected in the same way."""
    (tmp_path / "urls.txt").write_text(server.url("ok"))
    (tmp_path / "loop").symlink_to("loop")
    for output, words in (
        ("-", ""),
        (str(tmp_path / "rows.jsonl"), ""),
        (
            "rows.jsonl",
            "rows.jsonl: can't be opened (No such file or directory); choose another output with -o",
        ),
        (str(tmp_path / "loop"), "can't be opened (Too many levels of symbolic links)"),
    ):
        gone = tmp_path / "gone"
        gone.mkdir()
        command = 'rmdir "$PWD" && exec "$@"'
        arguments = [str(tmp_path / "urls.txt"), "-o", output, "--executor", executor, "--quiet"]
        done = subprocess.run(
            ["sh", "-c", command, "sh", *runner.FETCHPOOL, *arguments],
            cwd=gone,
            env=runner.environment(),
            capture_output=True,
            text=True,
            timeout=runner.PATIENCE,
            check=False,
        )
        assert done.returncode == (2 if words else 0)
        assert words in done.stderr
        assert done.stderr.count("\n") == bool(words)
