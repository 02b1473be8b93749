"""The API of the web page, without a server and without a guard."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fetchpool.config import steering
from fetchpool.engine.events import SIZE_BOUNDS, TIME_BOUNDS, FailureCount
from fetchpool.model.steering import Abort, Command, Pause, PerHost, Rate, Resize, Resume, Stop
from fetchpool.progress.snapshot_json import encode
from fetchpool.web.app import Files, build_app
from fetchpool.web.messages import End, Notice, RunInfo
from fetchpool.web.page import PageState
from tests.factories import snapshot
from tests.unit.web.asgi import Answer, call

RUN = RunInfo(
    version="1.0",
    command="fetchpool urls.txt",
    inputs=("urls.txt",),
    outputs=("sizes.txt",),
    executor="async",
    transport="curl",
    started=1_800_000_000.0,
    pid=1,
    ceiling=100,
    read_only=False,
    time_bounds=TIME_BOUNDS,
    size_bounds=SIZE_BOUNDS,
)
HOSTILE = '</script><img src=x onerror="alert(1)">{{7*7}}\u202e'


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Page:
    """An application and what it passes to the run."""

    def __init__(self, **changes: Any) -> None:
        self.clock = Clock()
        self.state = PageState(RUN, self.clock)
        self.lines: list[bytes] = []
        self.is_busy = False
        self.app = build_app(self.state, self._send)
        self.state.update(encode(snapshot(**changes)))

    def _send(self, line: bytes) -> bool:
        self.lines.append(line)
        return not self.is_busy

    @property
    def commands(self) -> list[Command]:
        return [steering.decode(line) for lines in self.lines for line in lines.splitlines()]

    def call(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return call(self.app, method, target, named, [body])


def test_the_snapshot_has_its_fields_and_what_only_the_page_shows() -> None:
    page = Page(seq=7)
    page.state.notice(Notice(1_800_000_001.5, "paused from the web page"))
    answer = page.call("GET", "/api/snapshot").json
    assert answer["seq"] == 7
    assert answer["exit_code"] is None
    assert answer["events"] == [{"time": 1_800_000_001.5, "text": "paused from the web page"}]


def test_the_first_request_waits_for_the_run_to_begin() -> None:
    state = PageState(RUN)
    app = build_app(state, lambda _line: True)

    async def begin_later(scope: Any, receive: Any, send: Any) -> None:
        asyncio.get_running_loop().call_soon(state.update, encode(snapshot(seq=1)))
        await app(scope, receive, send)

    assert call(begin_later, "GET", "/api/snapshot").json["seq"] == 1


def test_an_unchanged_snapshot_is_not_sent_again() -> None:
    page = Page()
    etag = page.call("GET", "/api/snapshot").headers["etag"]
    assert page.call("GET", "/api/snapshot", if_none_match=etag).status == 304
    page.state.update(encode(snapshot()))
    assert page.call("GET", "/api/snapshot", if_none_match=etag).status == 200


def test_the_run_is_described() -> None:
    assert Page().call("GET", "/api/run").json["command"] == "fetchpool urls.txt"


@pytest.mark.parametrize(
    ("path", "command"),
    [("pause", Pause()), ("resume", Resume()), ("stop", Stop()), ("abort", Abort())],
)
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_command_is_passed_to_the_run(path: str, command: Command, body: bytes) -> None:
    page = Page(seq=3)
    answer = page.call("POST", f"/api/{path}", body)
    assert (answer.status, answer.json, page.commands) == (202, {"seq": 3}, [command])


@pytest.mark.parametrize("path", ["pause", "resume", "stop", "abort"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH"])
def test_no_other_method_is_a_command(method: str, path: str) -> None:
    page = Page()
    answer = page.call(method, f"/api/{path}")
    assert (answer.status, page.lines) == (405, [])
    if method != "HEAD":
        assert answer.json == {"error": f"/api/{path} takes POST"}


@pytest.mark.parametrize(
    ("body", "commands"),
    [
        ('{"workers": 50}', [Resize(50)]),
        ('{"workers": "auto"}', [Resize("auto")]),
        ('{"rate": "10/s"}', [Rate(10.0)]),
        ('{"rate": "0"}', [Rate(None)]),
        ('{"per_host": 0, "workers": 2}', [PerHost(None), Resize(2)]),
    ],
)
def test_settings_are_passed_to_the_run(body: str, commands: list[Command]) -> None:
    page = Page()
    assert page.call("PATCH", "/api/settings", body.encode()).status == 202
    assert page.commands == commands


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "null", "{", "\xff", "{}", '{"speed": 1}', '{"workers": 0}', '{"workers": "many"}'),
        *('{"workers": 1.5}', '{"rate": "fast"}', '{"per_host": -1}', '{"rate": {}}', "[" * 900),
        '{"workers": 5, "rate": "x"}',
    ],
)
def test_invalid_settings_change_nothing(body: str) -> None:
    page = Page()
    answer = page.call("PATCH", "/api/settings", body.encode("latin-1"))
    assert (answer.status, page.lines) == (422, [])
    assert "\n" not in answer.json["error"]


def test_invalid_settings_are_refused_in_the_words_of_the_options() -> None:
    error = Page().call("PATCH", "/api/settings", b'{"workers": 100000}').json["error"]
    assert error.startswith("--workers: ")


def test_a_run_that_takes_no_commands_says_so() -> None:
    page = Page()
    page.is_busy = True
    assert page.call("POST", "/api/pause").status == 503


def test_after_the_end_there_is_nothing_to_steer() -> None:
    page = Page()
    page.state.end(End(1, ("10 URLs",)))
    assert page.call("POST", "/api/pause").status == 409
    answer = page.call("GET", "/api/snapshot").json
    assert (answer["state"], answer["exit_code"], answer["summary"]) == ("ended", 1, ["10 URLs"])


def test_the_end_waits_for_tabs_that_were_open_a_moment_ago() -> None:
    page = Page()
    page.call("GET", "/api/snapshot?tab=old")
    page.clock.now += 2.9
    page.call("GET", "/api/snapshot?tab=open")
    page.call("GET", "/api/snapshot")
    page.clock.now += 0.2
    page.state.end(End(0, ()))
    assert page.state.has_tabs()
    page.call("GET", "/api/snapshot?tab=open")
    assert not page.state.has_tabs()


def test_the_names_of_tabs_take_little_memory() -> None:
    page = Page()
    for number in range(100):
        page.state.answer(str(number))
    assert len(page.state._tabs) <= 64


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 13])
def test_a_series_after_no_point_is_refused(after: str) -> None:
    assert Page().call("GET", f"/api/series?after={after}").status == 422


def test_the_series_has_a_point_per_second() -> None:
    page = Page(elapsed=0.0, done=0, ok=0, failed=())
    page.state.update(encode(snapshot(elapsed=1.0, done=110, ok=100)))
    series = page.call("GET", "/api/series").json
    assert (series["t"], series["ok"], series["failed"]) == ([1.0], [100.0], [10.0])


@pytest.mark.parametrize(
    "path",
    ["/static/x/page.js", "/static/{hash}/../app.py", "/static/{hash}/nothing", "/api", "/x", "/api/run/"],
)
def test_an_unknown_address_says_so(path: str) -> None:
    answer = Page().call("GET", path.format(hash=Files().hash))
    assert (answer.status, list(answer.json)) == (404, ["error"])


def test_the_page_names_files_that_exist_and_never_change() -> None:
    page = Page()
    html = page.call("GET", "/").body.decode()
    names = [part.partition('"')[0] for part in html.split('="/static/')[1:]]
    assert len(names) >= 4
    for name in names:
        answer = page.call("GET", f"/static/{name}")
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["workers", "rate", "per_host", "x"]), json_values, max_size=3).map(
        json.dumps
    )
    | json_values.map(json.dumps)
    | st.text(max_size=20)
)
def test_whatever_is_sent_as_settings_is_passed_on_or_refused(body: str) -> None:
    page = Page()
    answer = page.call("PATCH", "/api/settings", body.encode("utf-8", "surrogatepass"))
    assert answer.status in (202, 422)
    assert bool(page.commands) == (answer.status == 202)


def test_the_description_lists_what_there_is() -> None:
    page = Page()
    description = page.call("GET", "/api/openapi.json").json
    for path, methods in description["paths"].items():
        for method in methods:
            assert page.call(method.upper(), path).status not in (404, 405)
    schemas = description["components"]["schemas"]
    answer = page.call("GET", "/api/snapshot").json
    described = {**schemas["Snapshot"]["properties"], **schemas["PageSnapshot"]["allOf"][1]["properties"]}
    assert set(answer) == set(described)
    assert set(page.call("GET", "/api/series").json) == set(schemas["Series"]["properties"])
    assert set(page.call("GET", "/api/run").json) == set(schemas["RunInfo"]["properties"])


def metrics(page: Page) -> dict[str, float]:
    answer = page.call("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        f"{each.name}{each.labels or ''}": each.value
        for family in text_string_to_metric_families(answer.body.decode())
        for each in family.samples
    }


def test_the_metrics_are_those_of_the_snapshot() -> None:
    times = tuple(range(len(TIME_BOUNDS) + 1))
    found = metrics(
        Page(
            done=30,
            ok=20,
            failed=(FailureCount("dns", 10, (HOSTILE,)),),
            retries=3,
            times=times,
            time_waiting=7.0,
            time_receiving=2.0,
            total=None,
        )
    )
    assert found["fetchpool_rows_total{'outcome': 'ok'}"] == 20
    assert found["fetchpool_rows_total{'outcome': 'dns'}"] == 10
    assert found["fetchpool_retries_total"] == 3
    assert found["fetchpool_request_duration_seconds_count"] == sum(times)
    assert found["fetchpool_request_duration_seconds_sum"] == 9
    assert found["fetchpool_request_duration_seconds_bucket{'le': '+Inf'}"] == sum(times)
    assert found["fetchpool_state{'state': 'running'}"] == 1
    assert sum(value for name, value in found.items() if name.startswith("fetchpool_state")) == 1
    assert "fetchpool_list_urls" not in found
    assert found["fetchpool_start_time_seconds"] == RUN.started


def test_the_metrics_follow_the_rules_of_prometheus() -> None:
    """What `promtool check metrics` checks: help, names, units, and counters and histograms that are."""
    times = tuple(range(len(TIME_BOUNDS) + 1))
    body = (
        Page(done=30, ok=20, times=times, failed=(FailureCount("dns", 10, ()),)).call("GET", "/metrics").body
    )
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    families = list(text_string_to_metric_families(body.decode()))
    assert sum(len(each.samples) for each in families) == len(lines) == len(set(lines))
    for family in families:
        assert family.documentation, family.name
        assert re.fullmatch(r"fetchpool_[a-z_]+", family.name)
        assert not re.search(r"milli|micro|_ms\b|kilo|minutes|gauge|counter|histogram", family.name)
        if family.type == "counter":
            assert all(each.name.endswith("_total") and each.value >= 0 for each in family.samples)
        else:
            assert not any(each.name.endswith("_total") for each in family.samples)
        if family.type == "histogram":
            buckets = [each for each in family.samples if each.name.endswith("_bucket")]
            bounds = [float(each.labels["le"]) for each in buckets]
            values = [each.value for each in buckets]
            count = next(each.value for each in family.samples if each.name.endswith("_count"))
            assert (bounds, values) == (sorted(bounds), sorted(values))
            assert (bounds[-1], values[-1]) == (float("inf"), count)
    assert {each.type for each in families} == {"gauge", "counter", "histogram"}


def test_no_metric_has_a_text_of_the_list() -> None:
    body = Page(failed=(FailureCount("dns", 10, (HOSTILE,)),)).call("GET", "/metrics").body
    assert b"onerror" not in body


def test_hostile_text_stays_text() -> None:
    answer = Page(failed=(FailureCount("dns", 1, (HOSTILE,)),)).call("GET", "/api/snapshot")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body)["failed"][0]["examples"] == [HOSTILE]
