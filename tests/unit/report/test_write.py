"""Where a report is written, and what it never overwrites."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.report.build import content
from fetchpool.report.gather import Gatherer
from fetchpool.report.write import Form, write

EMPTY = Gatherer().result()


@pytest.mark.parametrize("form", Form)
def test_a_report_replaces_a_report(tmp_path: Path, form: Form) -> None:
    path = tmp_path / f"report.{form}"
    write("-o", str(path), content(EMPTY, form))
    write("-o", str(path), content(EMPTY, Form.PAGE))
    assert path.read_bytes() == content(EMPTY, Form.PAGE)
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_is_replaced_through_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "there.html", tmp_path / "link.html"
    target.touch()
    link.symlink_to(target)
    write("-o", str(link), b"x")
    assert link.is_symlink()
    assert target.read_bytes() == b"x"


def test_another_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text("<h1>Mine</h1>")
    with pytest.raises(UsageError, match="is not a report, and is not overwritten"):
        write("-o", str(path), b"x")
    assert path.read_text() == "<h1>Mine</h1>"


@pytest.mark.parametrize(("name", "message"), [("", "is a directory"), ("no/report.html", "no directory")])
def test_a_path_without_a_file_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write("-o", str(tmp_path / name), b"x")


def test_a_nul_in_a_path_is_refused() -> None:
    with pytest.raises(UsageError):
        write("-o", "a\0b", b"x")


def test_a_device_is_written_to() -> None:
    write("-o", os.devnull, b"x")


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    old = content(EMPTY, Form.PAGE)
    write("-o", str(path), old)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fetchpool.report.write.os.fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        write("-o", str(path), b"x")
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
