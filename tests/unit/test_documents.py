"""The documents agree with the program, and their links lead somewhere."""

import re
from pathlib import Path

import pytest

from fetchpool.model import failures, record
from fetchpool.scheduler.retry import TRANSIENT_KINDS
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
    assert {kind for kind, again in documented.items() if again == "yes"} == set(TRANSIENT_KINDS)


def test_every_kind_has_an_exit_code_of_curls() -> None:
    assert set(failures.EXITCODES) == set(failures.FailureKind)
    assert all(0 < code < 102 for code in failures.EXITCODES.values())


@pytest.mark.parametrize("document", update_docs.generated(), ids=lambda path: path.name)
def test_the_generated_parts_of_the_documents_are_current(document: Path) -> None:
    assert document.read_text() == update_docs.generated()[document], "run: python -m tests.update_docs"


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
