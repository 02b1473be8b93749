"""One browser for all tests of the page."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.web.browser import CHROMIUM, DRIVER, Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser, which tests share: no test leaves a window open but the first."""
    if CHROMIUM is None or DRIVER is None:
        if os.environ.get("CI"):
            pytest.fail("there is no browser: apt-get install chromium chromium-driver")
        pytest.skip("there is no browser: apt-get install chromium chromium-driver")
    with Browser() as found:
        yield found
