"""A headless Chromium, driven by selenium with Debian's driver, which downloads nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Any, TypeVar

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *(
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-sync",
        "mute-audio",
    ),
    *("disable-background-networking", "disable-component-update", "disable-extensions"),
    *("disable-dev-shm-usage", "hide-scrollbars"),
    # A page of another site, whose name is an address of this machine.
    "host-resolver-rules=MAP *.example 127.0.0.1",
)
PATIENCE = 30.0
WAIT_IN_PAGE = """
const [given, patience, returning, done] = arguments;
const until = Date.now() + patience;
const check = (number) => {
  const found = CONDITION;
  if (found || Date.now() > until) return done(found);
  // The page asks for news once a second, and at once when a user returns to it.
  if (returning && number % 10 === 0) document.dispatchEvent(new Event("visibilitychange"));
  setTimeout(check, 20, number + 1);
};
check(0);
"""
SHOWN = "document.body.innerText.includes(given)"
BUTTON = """[...document.querySelectorAll("button")].find(
  (button) => button.innerText.trim() === given && button.checkVisibility() && !button.disabled)"""

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], what: str) -> Found:
    """Waits until `condition` is true; returns its value."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {PATIENCE:.0f} s: {what}")
        time.sleep(0.05)
    return found


class Browser:
    """One browser for many pages. A context manager."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in FLAGS:
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_script_timeout(2 * PATIENCE)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def open(self, address: str) -> None:
        self.driver.get(address)

    def button(self, name: str) -> WebElement:
        """The button that a user sees under this name, once it can be pressed."""
        button: WebElement = self._wait_in_page(BUTTON, name, f"a button {name!r}")
        return button

    def click(self, name: str) -> None:
        self.button(name).click()

    @property
    def words(self) -> str:
        """The text that a user sees."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def wait_for(self, text: str, *, returning: bool = True) -> None:
        """Waits until the page shows `text`. Without `returning`, until it does so by itself."""
        self._wait_in_page(SHOWN, text, f"the page shows {text!r}", returning)

    def _wait_in_page(self, condition: str, given: str, what: str, returning: bool = True) -> Any:
        """Waits until `condition` is true of `given`; returns its value."""
        script = WAIT_IN_PAGE.replace("CONDITION", condition)
        found = self.driver.execute_async_script(script, given, 1000 * PATIENCE, returning)
        assert found, f"not in {PATIENCE:.0f} s: {what}"
        return found

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        """Prefers `light` or `dark`."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
