"""The description of the web page's API (`web/static/openapi.json`), made from the structs that it sends."""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from fetchpool.engine.events import Snapshot
from fetchpool.model.version import VERSION
from fetchpool.web.app import COMMANDS
from fetchpool.web.guard import MAX_BODY
from fetchpool.web.messages import Notice, RunInfo

REFERENCE = "#/components/schemas/{name}"
INTRODUCTION = (
    "State and control of a running fetchpool. Log in with the link that the run printed (a cookie), or send "
    "`Authorization: Bearer` with the token of FETCHPOOL_WEB_TOKEN. Requests other than GET from a browser "
    "need the page's own Origin. Every error is an object with one line, `error`."
)
ERRORS = {
    "401": "Not logged in",
    "403": "From another site, or the page is read-only",
    "405": "Another method",
    "421": "The Host header is not a name of this server",
}
NUMBERS = {"type": "array", "items": {"type": "number"}}
MAYBE = {"type": "array", "items": {"type": ["number", "null"]}}


def openapi() -> str:
    """The text of the file."""
    paths: dict[str, Any] = {
        "/api/run": _get("The run as it began", {"$ref": REFERENCE.format(name="RunInfo")}),
        "/api/snapshot": _get(
            "The run at this moment; 304 if it is unchanged since the ETag in If-None-Match",
            {"$ref": REFERENCE.format(name="PageSnapshot")},
            more=("304", "Unchanged"),
        ),
        "/api/series": _get(
            "The run over time, at most 720 points",
            {"$ref": REFERENCE.format(name="Series")},
            parameters=[
                _query("after", "Only points with a number above: the `complete` of the last response")
            ],
            more=("422", "`after` is not a number"),
        ),
        "/metrics": {
            "get": {
                "summary": "Metrics for Prometheus",
                "responses": _responses({"200": {"description": "Text", "content": {"text/plain": {}}}}),
            }
        },
        **{f"/api/{name}": {"post": _post(command.__doc__ or "")} for name, command in COMMANDS.items()},
        "/api/settings": {"patch": _settings()},
    }
    (_, components) = msgspec.json.schema_components((Snapshot, RunInfo, Notice), ref_template=REFERENCE)
    for each in components.values():
        if "description" in each:  # Python 3.13 takes the indentation out of docstrings
            each["description"] = inspect.cleandoc(each["description"])
    notice = components["Notice"]
    notice["properties"].pop("type", None)
    notice["required"] = ["time", "text"]
    components |= {
        "PageSnapshot": {
            "allOf": [
                {"$ref": REFERENCE.format(name="Snapshot")},
                {
                    "type": "object",
                    "required": ["exit_code", "summary", "events"],
                    "properties": {
                        "exit_code": {
                            "type": ["integer", "null"],
                            "description": "null until the run has ended",
                        },
                        "summary": {"type": "array", "items": {"type": "string"}},
                        "events": {"type": "array", "items": {"$ref": REFERENCE.format(name="Notice")}},
                    },
                },
            ]
        },
        "Series": _series(),
        "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "fetchpool", "version": VERSION, "description": INTRODUCTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }
    return json.dumps(document, indent=1) + "\n"


def _get(summary: str, schema: Any, *, parameters: Any = (), more: tuple[str, str] | None = None) -> Any:
    fine = {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    extra = {} if more is None else {more[0]: {"description": more[1]}}
    return {
        "get": {
            "summary": summary,
            "parameters": list(parameters),
            "responses": _responses({**fine, **extra}),
        }
    }


def _post(summary: str) -> Any:
    return {"summary": summary.split(".")[0], "responses": _accepted()}


def _settings() -> Any:
    limit = {"type": ["string", "number", "null"]}
    schema = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            "workers": {"type": ["integer", "string"], "description": "a number, or auto (--workers)"},
            "rate": {**limit, "description": "10/s, 30/m; 0 or null is no limit (--rate)"},
            "per_host": {**limit, "description": "a number; 0 or null is no limit (--per-host)"},
        },
    }
    return {
        "summary": f"Change settings; the body has at most {MAX_BODY} bytes",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _accepted(),
    }


def _accepted() -> Any:
    schema = {"type": "object", "properties": {"seq": {"type": "integer"}}}
    text = "Passed to the run; a later snapshot than `seq` shows the effect"
    return _responses(
        {
            "202": {"description": text, "content": {"application/json": {"schema": schema}}},
            "409": {"description": "The run has ended"},
            "413": {"description": "The body is too large"},
            "422": {"description": "An invalid value, in the words of the option"},
            "503": {"description": "The run does not accept commands at the moment"},
        }
    )


def _series() -> Any:
    descriptions = {
        "t": "seconds since the start of the run, at the end of the point",
        "ok": "URLs per second without an error",
        "failed": "URLs per second with an error",
        "bytes": "delivered bytes per second",
        "in_flight": "requests in flight, on average",
        "allowed": "workers, on average",
        "waiting": "queued requests, on average",
    }
    return {
        "type": "object",
        "properties": {
            "step": {"type": "number", "description": "seconds of a point; all points change when it does"},
            "complete": {"type": "integer", "description": "the number of the last point but one"},
            **{name: {**NUMBERS, "description": text} for name, text in descriptions.items()},
            "p50": {**MAYBE, "description": "median time of a URL, in seconds; null without one"},
            "p95": {**MAYBE, "description": "95th percentile of the times"},
            "held": {
                "type": "object",
                "additionalProperties": NUMBERS,
                "description": "seconds of each point that a bottleneck held the run back",
            },
        },
    }


def _query(name: str, description: str) -> Any:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "integer"},
        "description": description,
    }


def _responses(found: dict[str, Any]) -> Any:
    error = {"application/json": {"schema": {"$ref": REFERENCE.format(name="Error")}}}
    for status, text in ERRORS.items():
        found[status] = {"description": text}
    for status, response in found.items():
        if int(status) >= 400:
            response["content"] = error
    return dict(sorted(found.items()))
