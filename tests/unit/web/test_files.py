"""The page's files: those of others are as published, and all of them are in the package."""

from __future__ import annotations

import tomllib
from hashlib import sha256
from pathlib import Path

from fetchpool.web.app import STATIC

ROOT = Path(__file__).parents[3]


def test_the_files_of_others_are_unchanged() -> None:
    named = dict(
        reversed(line.split("  "))
        for line in STATIC.joinpath("VERSIONS").read_text().splitlines()
        if "  " in line
    )
    assert set(named) == {"uPlot.iife.min.js", "uPlot.min.css"}
    for name, digest in named.items():
        assert sha256(STATIC.joinpath(name).read_bytes()).hexdigest() == digest
    assert "MIT" in STATIC.joinpath("LICENSE.uPlot").read_text()


def test_the_wheel_has_all_of_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "web/static/*" in project["tool"]["setuptools"]["package-data"]["fetchpool"]


def test_the_page_is_small() -> None:
    sizes = [len(file.read_bytes()) for file in STATIC.iterdir() if file.name != "openapi.json"]
    assert sum(sizes) < 120_000
