"""The documents agree with the program, and their links lead somewhere."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from fetchpool.config.options.table import OPTIONS
from fetchpool.model import failures, record
from tests import pictures, update_docs

REFERENCE = update_docs.ROOT / "docs" / "reference"
DOCUMENTS = sorted([*update_docs.ROOT.glob("*.md"), *update_docs.ROOT.glob("docs/**/*.md")])


def table(document: str) -> list[list[str]]:
    """Return the cells of the first table of a reference document."""
    lines = (REFERENCE / document).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_field_of_the_row_is_documented_in_its_order() -> None:
    assert [row[0].strip("`") for row in table("fields.md")] == list(record.ROW_FIELDS)


def test_every_kind_of_failure_is_documented_and_whether_it_is_tried_again() -> None:
    documented = {row[0].strip("`"): row[2] for row in table("failures.md")}
    assert documented.pop("http_NNN")
    assert list(documented) == list(failures.FailureKind)
    assert {kind for kind, again in documented.items() if again == "yes"} == {
        kind for kind in failures.FailureKind if kind.is_transient
    }


def test_every_kind_has_an_exit_code_of_curls() -> None:
    assert all(0 < kind.exitcode < 102 for kind in failures.FailureKind)


@pytest.mark.parametrize("document", update_docs.GENERATED, ids=lambda path: path.name)
def test_the_generated_parts_of_the_documents_are_current(document: Path) -> None:
    assert document.read_text() == update_docs.GENERATED[document](), "run: python -m tests.update_docs"


def shown_page() -> tuple[str, str]:
    """Return the manual page as `man` shows it, and the warnings."""
    page = update_docs.MAN_PAGE
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-P-cbou", str(page)], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def test_the_manual_page_has_every_option_in_the_words_of_the_table() -> None:
    text = update_docs.MAN_PAGE.read_text().replace("\\-", "-").replace("\\e", "\\")
    for option in OPTIONS.values():
        if option.usage and option.name != "number":
            assert f"\\fB{option.label}\\fR" in text
            assert option.help in text


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_page_is_valid_and_has_every_section() -> None:
    shown, warnings = shown_page()
    assert warnings == ""
    headings = re.findall(r"^[A-Z][A-Z ]+$", shown, re.MULTILINE)
    assert headings == [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
        "SEE ALSO",
    ]
    assert "-m, --max-time TIME" in shown


def test_the_manual_page_is_installed_where_man_looks() -> None:
    project = tomllib.loads((update_docs.ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["data-files"] == {"share/man/man1": ["docs/fetchpool.1"]}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text())
    local = [target for target in targets if "://" not in target]
    assert not [target for target in local if not (document.parent / target).exists()]


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_the_pictures_show_the_display_as_it_is(name: str) -> None:
    drawn = pictures.draw(pictures.PICTURES[name](), name)
    assert "URLs" in "".join(pictures.words(drawn))
    stored = (pictures.DIRECTORY / name).read_text()
    assert pictures.words(stored) == pictures.words(drawn), "run: make pictures"


def test_the_figures_in_the_readme_are_those_of_the_benchmarks() -> None:
    readme, benchmarks = (
        (update_docs.ROOT / name).read_text() for name in ("README.md", "docs/benchmarks.md")
    )
    table = readme.split("| instead of |", 1)[1].split("\n\n", 1)[0]
    figures = re.findall(r"\b\d{1,2},\d{3}\b|\b(?:337|909)\b", table)
    assert len(figures) == 12
    for figure in figures:
        assert f"| {figure} |" in re.sub(r" +", " ", benchmarks)


def test_the_numbers_of_wrong_results_in_the_readme_are_those_of_the_fault_page() -> None:
    faults = (update_docs.ROOT / "docs" / "faults.md").read_text()
    rows = faults.split("| ---: | --- |", 1)[1].split("\n\n")[0].splitlines()[1:]
    columns = list(zip(*(row.strip("|").split("|") for row in rows), strict=True))
    wrong = [sum("**" in cell for cell in column) for column in columns[2:]]
    readme = (update_docs.ROOT / "README.md").read_text()
    assert f"incorrect results in {len(rows)} simulated" in readme.replace("\n", " ")
    for name, number in zip(("`fetchpool`", "`curl -Z`", "`wget2`", "a script"), wrong, strict=True):
        row = next(line for line in readme.splitlines() if line.startswith(f"| {name}"))
        assert row.split("|")[4].strip() == str(number)
