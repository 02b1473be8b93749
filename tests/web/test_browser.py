"""The page in a browser: what it shows, what its buttons do, and what other pages can't do.

The run is made up."""

from __future__ import annotations

import importlib.resources
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from msgspec.structs import replace
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fetchpool.engine.events import ActiveRequest, FailingHost, FailureCount, Hosts, Snapshot
from fetchpool.model.steering import Pause, PerHost, Rate, Resize, Resume, Settings, State, Stop
from tests.factories import snapshot
from tests.web.browser import Browser, wait_until
from tests.web.process import PageProcess

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "javascript:document.title='owned'",
    'https://a.example/"onmouseover="document.title=1',
    "\\u202egpj.exe \\x1b[2J {{7*7}} ${7*7}",
    "https://a.example/" + "x" * 100_000,
)
COUNT_NODES = "return document.getElementsByTagName('*').length"
VIOLATIONS = """
if (!window.violations) {
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
}
return window.violations;
"""


def shot(seq: int, **changes: Any) -> Snapshot:
    """The snapshot of second `seq` of a run of 10 URLs a second."""
    values = {
        "seq": seq,
        "elapsed": float(seq),
        "done": 10 * seq,
        "ok": 9 * seq,
        "total": 1000,
        "total_exact": True,
        "recent_p50": 0.04,
        "recent_p95": 0.2,
        "times": tuple(range(40)),
        "settings": Settings(10, 100, None, 5),
    }
    return snapshot(**{**values, **changes})


@pytest.fixture
def page(browser: Browser) -> Iterator[PageProcess]:
    """A page with ten seconds of a run, open in the browser."""
    with PageProcess() as found:
        found.show(shot(seq) for seq in range(11))
        browser.open(found.link())
        browser.wait_for("running")
        yield found


def paused(seq: int, **changes: Any) -> Snapshot:
    return shot(seq, state=State.PAUSED, in_flight=0, **changes)


def test_the_buttons_and_keys_steer(browser: Browser, page: PageProcess) -> None:
    driver = browser.driver
    assert "token" not in driver.current_url
    browser.click("Pause")
    assert page.command() == Pause()
    assert "running" in browser.words, "the page shows what is, not what was asked for"
    page.show([paused(11)])
    browser.wait_for("paused")
    page.show([paused(20)])
    browser.click("Resume")
    assert page.command() == Resume()
    page.show([shot(30)])
    browser.wait_for("running")
    driver.find_element(By.TAG_NAME, "body").send_keys("p")
    assert page.command() == Pause()
    page.show([shot(40)])
    browser.button("Pause")
    field = driver.find_element(By.ID, "workers")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("7", Keys.ENTER)
    assert page.command() == Resize(7)
    page.show([shot(50)])
    field = driver.find_element(By.ID, "rate-limit")
    field.send_keys("5/s", Keys.TAB)
    assert page.command() == Rate(5.0)
    page.show([shot(60, settings=Settings(10, 100, 5.0, 5))])
    wait_until(lambda: field.get_attribute("value") == "5/s", "the rate that the run has")
    field = driver.find_element(By.ID, "per-host")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("0", Keys.TAB)
    assert page.command() == PerHost(None)
    page.show([shot(70)])
    field = driver.find_element(By.ID, "workers")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("many", Keys.ENTER)
    browser.wait_for("--workers: 'many' is neither an integer from 1 to 10000 nor auto")
    page.show([shot(80)])
    browser.click("Stop")
    browser.click("Keep running")
    browser.click("Stop")
    assert page.command(timeout=0.0) is None, "one click does not stop a run"
    browser.click("Stop")
    assert page.command() == Stop()
    page.show([shot(81, state=State.STOPPING)])
    browser.wait_for("stopping")


def test_a_run_that_began_paused_is_started(browser: Browser, page: PageProcess) -> None:
    page.show([paused(12, done=0, ok=0, retries=0)])
    browser.click("Start")
    assert page.command() == Resume()


def test_the_seventh_tab_steers_as_well(browser: Browser, page: PageProcess) -> None:
    driver = browser.driver
    first = driver.current_window_handle
    for _ in range(6):
        driver.switch_to.new_window("tab")
        browser.open(page.address)
    browser.click("Pause")
    assert page.command(timeout=5) == Pause()
    for window in driver.window_handles:
        if window != first:
            driver.switch_to.window(window)
            driver.close()
    driver.switch_to.window(first)


def test_a_reloaded_page_has_the_run_from_its_start(browser: Browser, page: PageProcess) -> None:
    browser.driver.refresh()
    browser.wait_for("100 of 1,000 URLs")
    page.end(1, "100 URLs, 10 failed")
    browser.wait_for("ended after 10 s, exit code 1")
    assert "100 URLs, 10 failed" in browser.words
    saved = "return document.getElementById('plot-rate').querySelector('canvas').width > 100"
    assert browser.driver.execute_script(saved)
    assert page.process.wait(5) == 0
    browser.button("Save numbers")
    assert "no answer" not in browser.words


def test_a_page_that_is_gone_is_said_to_be(browser: Browser, page: PageProcess) -> None:
    page.process.kill()
    browser.wait_for("no response for")
    assert "100 of 1,000 URLs" in browser.words


def test_hostile_text_stays_text(browser: Browser, page: PageProcess) -> None:
    driver = browser.driver
    driver.execute_script(VIOLATIONS)
    before = driver.execute_script(COUNT_NODES)
    page.show(
        [
            shot(
                12,
                failed=tuple(
                    FailureCount(f"http_{499 + index}", 9, (text,)) for index, text in enumerate(HOSTILE)
                ),
                slowest=tuple(ActiveRequest(text, 3.0) for text in HOSTILE[:5]),
                hosts=Hosts(failing=tuple(FailingHost(text, 3, text) for text in HOSTILE)),
            )
        ]
    )
    for text in HOSTILE:
        page.notice(1_800_000_000.0, text)
    browser.wait_for("http_499")
    browser.click("failing")
    browser.wait_for("<img src=x")
    assert driver.title != "owned"
    assert driver.execute_script(COUNT_NODES) == before
    links = driver.execute_script("return [...document.querySelectorAll('a[href]')].map((each) => each.href)")
    assert links
    assert all(link.startswith("https://a.example/") for link in links)
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert driver.execute_script(VIOLATIONS) == []
    # What is forbidden would have been noticed.
    refused = "try { document.body.innerHTML = '<b>x</b>'; return 'set' } catch (error) { return error.name }"
    assert driver.execute_script(refused) == "TypeError"
    wait_until(lambda: driver.execute_script(VIOLATIONS), "a violation")


def test_a_long_run_takes_no_more_nodes(browser: Browser, page: PageProcess) -> None:
    driver = browser.driver
    before = driver.execute_script(COUNT_NODES)
    page.show(shot(seq, total=100_000) for seq in range(11, 3000))
    browser.wait_for("29,990 of 100,000 URLs")
    assert driver.execute_script(COUNT_NODES) == before
    points = driver.execute_async_script(
        "const done = arguments[0]; fetch('/api/series').then((a) => a.json()).then((s) => done(s.t.length))"
    )
    assert points <= 720


def test_nothing_is_loaded_from_elsewhere(browser: Browser, page: PageProcess) -> None:
    loaded = browser.driver.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert len(loaded) >= 5
    assert [each for each in loaded if not each.startswith(page.address)] == []
    errors = [entry for entry in browser.driver.get_log("browser") if page.address in entry["message"]]
    assert errors == []


def test_everybody_can_use_it(browser: Browser, page: PageProcess) -> None:
    """The rules of axe-core: contrast, names, roles."""
    page.show([shot(12, hosts=Hosts(failing=(FailingHost("a.example", 3, "dns"),)))])
    page.notice(1_800_000_000.0, "paused from the web page")
    browser.click("failing")
    browser.wait_for("a.example")
    axe = importlib.resources.files("axe_core_python") / "axe.min.js"
    browser.driver.execute_script(axe.read_text())
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        found = browser.driver.execute_async_script("axe.run().then(arguments[0])")
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []
        assert len(found["passes"]) > 20
    browser.scheme("")


class Attacker(BaseHTTPRequestHandler):
    """A page of another site that tries to steer ours."""

    port = 0

    def do_GET(self) -> None:
        target = f"http://127.0.0.1:{self.port}"
        page = f"""<!doctype html><title>attack</title><body><iframe name=f></iframe>
<form method=post action="{target}/api/stop" target=f><input name=x></form>
<img src="{target}/api/stop"><script src="{target}/api/snapshot"></script><script>
const log = [];
async function attack() {{
  document.forms[0].submit();
  navigator.sendBeacon("{target}/api/stop", "{{}}");
  for (const options of [{{mode: "no-cors", method: "POST"}}, {{method: "POST"}}, {{credentials: "include"}},
      {{mode: "no-cors", credentials: "include", method: "POST"}},
      {{method: "PATCH", body: "{{}}", credentials: "include"}}, {{headers: {{Authorization: "Bearer x"}}}}])
    for (const path of ["/api/stop", "/api/snapshot", "/api/settings"])
      try {{ log.push((await fetch("{target}" + path, options)).type); }} catch {{ log.push("failed"); }}
  await new Promise((done) => {{
    const socket = new WebSocket("{target}/api/snapshot".replace("http", "ws"));
    socket.onopen = () => {{ log.push("open"); done(); }};
    socket.onerror = socket.onclose = done;
  }});
  document.title = "attacked";
}}
attack();
</script>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_a_page_of_another_port_cannot_steer_or_read(browser: Browser, page: PageProcess) -> None:
    """It is the same site for cookies: the browser sends ours along."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Attack", (Attacker,), {"port": page.port}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        wait_until(lambda: browser.driver.title == "attacked", "the attack")
        # Opaque is what a page can't read.
        assert set(browser.driver.execute_script("return log")) <= {"failed", "opaque"}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert page.command(timeout=0.0) is None
    browser.open(page.address)
    browser.wait_for("running")


def test_another_name_of_this_machine_shows_nothing(browser: Browser, page: PageProcess) -> None:
    browser.open(f"http://evil.example:{page.port}/")
    assert "fetchpool" not in browser.driver.title
    assert "unknown host name" in browser.words
    browser.open(page.address)
    browser.wait_for("running")


def test_a_page_without_a_login_says_how_to_get_one(browser: Browser) -> None:
    with PageProcess() as page:
        link = page.link()
        browser.open(page.address)
        browser.wait_for("open the link that the run printed")
        browser.open(link)
        browser.driver.delete_all_cookies()
        browser.open(link)
        browser.wait_for("each link works once")


def test_a_read_only_page_has_no_buttons(browser: Browser) -> None:
    with PageProcess(read_only=True) as page:
        page.show([shot(3)])
        browser.open(page.link())
        browser.wait_for("running")
        shown = [
            each.text for each in browser.driver.find_elements(By.TAG_NAME, "button") if each.is_displayed()
        ]
        assert not {"Pause", "Stop", "Start", "Resume"} & set(shown)
        browser.driver.find_element(By.TAG_NAME, "body").send_keys("p")
        page.show([replace(shot(9), done=91)])
        browser.wait_for("91 of 1,000", returning=False)
        assert page.command(timeout=0.0) is None
