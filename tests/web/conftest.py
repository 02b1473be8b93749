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
def browser(shared_browser: Browser) -> Browser:
    """The browser, with an empty log. It still shows the page of the test before: an empty page in between
    would cost two more processes for each test."""
    shared_browser.driver.get_log("browser")
    return shared_browser
