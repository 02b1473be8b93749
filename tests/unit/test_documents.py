"""What the documents list is what the program has."""

from pathlib import Path

from fetchpool.model import failures, record
from fetchpool.scheduler.retry import TRANSIENT_KINDS
from tests import update_docs

ROWS = (Path(__file__).parents[2] / "docs" / "rows.md").read_text()


def table(heading: str) -> list[list[str]]:
    lines = ROWS.split(heading, 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_field_of_the_row_is_documented_in_its_order() -> None:
    assert [row[0].strip("`") for row in table("# The row")] == list(record.ROW_FIELDS)


def test_every_kind_of_failure_is_documented_and_whether_it_is_tried_again() -> None:
    documented = {row[0].strip("`"): row[2] for row in table("## Kinds of failure")}
    assert documented.pop("http_NNN")
    assert list(documented) == list(failures.FailureKind)
    assert {kind for kind, again in documented.items() if again == "yes"} == set(TRANSIENT_KINDS)


def test_every_kind_has_an_exit_code_of_curls() -> None:
    assert set(failures.EXITCODES) == set(failures.FailureKind)
    assert all(0 < code < 102 for code in failures.EXITCODES.values())


def test_the_tree_in_the_architecture_document_is_current() -> None:
    current = update_docs.replaced(update_docs.ARCHITECTURE, update_docs.TREE, update_docs.tree())
    assert update_docs.ARCHITECTURE.read_text() == current, "run: python -m tests.update_docs"
