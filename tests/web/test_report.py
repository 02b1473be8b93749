"""A report in a real browser: from a file, without scripts, and printed."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fetchpool.report.build import content
from fetchpool.report.write import Form
from tests.unit.report.rows import HOSTILE, run_rows
from tests.unit.report.test_page import hostile_rows, numbers
from tests.web.browser import Browser

OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    rows = [*run_rows(1_000)] + [row for text in HOSTILE for row in hostile_rows(text)]
    path.write_bytes(content(numbers(rows), Form.PAGE))
    return path


def test_a_report_is_read_and_printed_without_scripts_and_network(browser: Browser, report: Path) -> None:
    driver = browser.driver
    browser.open("about:blank")
    driver.get_log("browser")  # of a page whose server has ended
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(report.as_uri())
        assert "http_404" in browser.words
        assert driver.execute_script("return window.injected") is None
        for width in (360, 1600):
            browser.size(width, 900)
            assert driver.execute_script(OVERFLOW) == 0
        printed = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert driver.get_log("browser") == []  # neither a violation of the policy nor a request
    pdf = base64.b64decode(printed)
    assert pdf.startswith(b"%PDF")
    if shutil.which("pdftotext") is None:
        assert not os.environ.get("CI"), "apt-get install poppler-utils"
        return
    words = subprocess.run(
        ["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True
    ).stdout.decode()
    for word in ("http_404", "dns", "p50", "p95", "What failed", "URLs per second"):
        assert word in words


def test_markup_that_was_injected_would_do_nothing(browser: Browser, report: Path) -> None:
    """The page's policy is the second line of defence: this is what a mistake in escaping would give."""
    html = report.read_text().replace(
        "<main>", '<main><script>document.title = "injected"</script><img src=x onerror="document.title=1">'
    )
    changed = report.with_name("changed.html")
    changed.write_text(html)
    browser.open(changed.as_uri())
    assert browser.driver.title.startswith("Report of")
    assert "Content Security Policy" in str(browser.driver.get_log("browser"))
