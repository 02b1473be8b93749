"""The workflows and the packaging say the same as the Makefile and pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VERSION_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")

every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def classified_versions() -> set[str]:
    matches = map(VERSION_CLASSIFIER.fullmatch, PROJECT["project"]["classifiers"])
    return {match[1] for match in matches if match}


@every_workflow
def test_every_make_target_of_a_workflow_exists(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {
        name for command in re.findall(r"run: make (.+)", workflow.read_text()) for name in command.split()
    }
    assert used
    assert used <= targets


@every_workflow
def test_every_action_is_pinned_to_a_commit_and_names_its_version(workflow: Path) -> None:
    actions = re.findall(r"uses: (?!\./)(.+)", workflow.read_text())
    assert actions
    assert [
        action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", action)
    ] == []


def test_only_the_publishing_job_may_identify_itself_to_the_package_index() -> None:
    texts = {workflow.stem: workflow.read_text() for workflow in WORKFLOWS}
    before, _, publish = texts.pop("release").partition("\n  publish:\n")
    assert all(": write" not in text for text in (before, *texts.values()))
    assert "id-token: write" in publish
    assert "environment: pypi" in publish
    assert "run:" not in publish  # no code of the repository runs with that right


def test_a_compiled_wheel_is_built_for_every_version_of_python_in_the_classifiers() -> None:
    built = {
        f"3.{tag.removeprefix('cp3').removesuffix('-*')}" for tag in PROJECT["tool"]["cibuildwheel"]["build"]
    }
    assert built == classified_versions()
    assert f">={min(built, key=lambda version: int(version[2:]))}" == PROJECT["project"]["requires-python"]


def test_the_tests_for_wheels_exist() -> None:
    sources = PROJECT["tool"]["cibuildwheel"]["test-sources"]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    script = (ROOT / ".ci" / "test-installed").read_text()
    assert [name for name in re.findall(r"tests/[\w/]+\.py", script) if not (ROOT / name).exists()] == []
