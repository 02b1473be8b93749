"""Takes pictures of a report, to look at: `make report-pictures`.

Light, dark, narrow and printed, of a made-up run; docs/usage/report.md shows the top of the light one.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from fetchpool.config.outputs import Output
from fetchpool.report.build import content, gather
from fetchpool.report.write import Form
from tests.unit.report.rows import run_rows, write
from tests.web.browser import Browser

DOCUMENTED = Path(__file__).parents[1] / "docs" / "pictures" / "report.png"
URLS = 30_000
SHOTS = (("light", 1280), ("dark", 1280), ("light", 360))


def main() -> None:
    """Take all pictures."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "build/report-pictures").resolve()
    directory.mkdir(parents=True, exist_ok=True)
    output, report = directory / "rows.jsonl", directory / "report.html"
    output.unlink(missing_ok=True)
    write(output, run_rows(URLS, seconds=1_500))
    report.write_bytes(content(gather([Output(str(output), "jsonl")]).numbers, Form.PAGE))
    with Browser() as browser:
        browser.open(report.as_uri())
        browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        for scheme, width in SHOTS:
            browser.scheme(scheme)
            browser.size(width, 800)
            height = browser.driver.execute_script("return document.documentElement.scrollHeight")
            browser.size(width, height)
            (directory / f"report-{scheme}-{width}.png").write_bytes(shot(browser))
        browser.scheme("light")
        browser.size(1280, 3400, scale=0.65)
        DOCUMENTED.write_bytes(shot(browser))
        (directory / "report.pdf").write_bytes(printed(browser))
    print(directory)  # noqa: T201


def shot(browser: Browser) -> bytes:
    """Return a picture of the window."""
    return base64.b64decode(
        browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    )


def printed(browser: Browser) -> bytes:
    """Return the page as it is printed."""
    options = {"preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
    return base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", options)["data"])


if __name__ == "__main__":
    main()
