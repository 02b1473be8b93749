"""`fetch()`, `afetch()` and progress in a real Jupyter kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from fetchpool.cli.demo_server.server import DemoServer

CELLS = [
    "import fetchpool\nurls = {urls!r}\n"
    "rows = list(fetchpool.fetch(urls, workers=2, progress=True))\n"
    "print(sum(row.ok for row in rows), 'rows')",
    "rows = [row async for row in fetchpool.afetch(urls, workers=2, progress=True)]\nlen(rows)",
    "def size(response):\n    return {{'octets': len(response.content)}}\n"
    "print(sorted(row.extra['octets'] for row in fetchpool.fetch(urls, parse=size, executor='async')))",
    "async with fetchpool.AsyncPool(2) as pool:\n"
    "    print([row.size_delivered async for row in pool.map(urls)])",
    "list(fetchpool.fetch(urls, parse=size, executor='process'))",
]


def test_a_notebook_fetches_and_shows_its_progress(
    demo_server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    urls = [demo_server.url(f"/bytes/{size}") for size in (10, 20, 30)]
    cells = [nbformat.v4.new_code_cell(cell.format(urls=urls)) for cell in CELLS]
    book = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, kernel_name="python3", timeout=60, allow_errors=True, resources=resources).execute()
    outputs = [cell.outputs for cell in book.cells]
    printed = ["".join(each.text for each in found if each.output_type == "stream") for found in outputs]
    shown = [[each for each in found if each.output_type == "display_data"] for found in outputs]
    assert printed[0] == "3 rows\n"
    assert [len(each) for each in shown[:2]] == [1, 1], "one output, replaced in place"
    texts = [each[0].data["text/plain"] for each in shown[:2]]
    assert ["3 of 3" in text and "3 ok" in text for text in texts] == [True, True], texts
    assert outputs[1][-1].data["text/plain"] == "3"
    assert printed[2] == printed[3] == "[10, 20, 30]\n"
    (failure,) = outputs[4]
    assert failure.ename == "UsageError"
    assert "processes can't import size from a notebook" in failure.evalue
