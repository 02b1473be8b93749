"""One browser for all tests of the page."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.web.browser import CHROMIUM, DRIVER, Browser


@pytest.fixture(scope="session")
def shared_browser() -> Iterator[Browser]:
    """The process that all tests share, which takes a second to start."""
    if CHROMIUM is None or DRIVER is None:
        if os.environ.get("CI"):
            pytest.fail("there is no browser: apt-get install chromium chromium-driver")
        pytest.skip("there is no browser: apt-get install chromium chromium-driver")
    with Browser() as found:
        yield found


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """A browser with an empty page and an empty log. No test leaves a window open but the first."""
    shared_browser.driver.get_log("browser")
    yield shared_browser
    shared_browser.open("about:blank")  # a page would ask its server, which has ended, until all tests have
