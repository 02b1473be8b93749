"""The routes of the web page: its files, the API and the metrics, with Starlette.

In: the page's state, and a function that passes commands to the run. Out: an ASGI application. It relies on
the checks of the guard. No route takes a file system path, and no GET changes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fetchpool.config import steering
from fetchpool.model.errors import UsageError
from fetchpool.model.steering import Abort, Command, Pause, Resume, Stop
from fetchpool.web.guard import VIEWER, App
from fetchpool.web.page import PageState

STATIC = files("fetchpool.web") / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
COMMANDS: dict[str, Command] = {"pause": Pause(), "resume": Resume(), "stop": Stop(), "abort": Abort()}
FOREVER = "public, max-age=31536000, immutable"
BEGIN_TIMEOUT = 5.0
"""Maximum seconds that the first requests wait for the run to begin."""
BUSY = "the run does not accept commands at the moment; try again"

Endpoint = Callable[[Request], Awaitable[Response]]


class Files:
    """The page's files, in memory. Their address contains a hash of all of them, so browsers may cache
    them."""

    def __init__(self) -> None:
        self._content = {
            file.name: file.read_bytes() for file in STATIC.iterdir() if PurePath(file.name).suffix in TYPES
        }
        digest = sha256()
        for name in sorted(self._content):
            digest.update(self._content[name])
        self.hash = digest.hexdigest()[:16]
        self.page = self._content["page.html"].replace(b"{static}", f"/static/{self.hash}".encode())

    def read(self, name: str) -> bytes | None:
        return self._content.get(name)


def build_app(state: PageState, send: Callable[[bytes], bool]) -> App:
    """Return the application. `send`: pass a command to the run; returns False if that is not possible."""
    static = Files()

    async def page(_request: Request) -> Response:
        return Response(static.page, media_type=TYPES[".html"])

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        content = static.read(name) if request.path_params["hash"] == static.hash else None
        if content is None:
            raise HTTPException(404)
        headers = {"cache-control": FOREVER}
        return Response(content, media_type=TYPES[PurePath(name).suffix], headers=headers)

    async def run(request: Request) -> Response:
        is_viewer = bool(request.scope.get(VIEWER))
        return _json(replace(state.run, read_only=True) if is_viewer else state.run)

    async def snapshot(request: Request) -> Response:
        if not state.has_begun.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(state.has_begun.wait(), BEGIN_TIMEOUT)
        if not state.has_begun.is_set():
            return _error(503, "the run has not begun yet; it may be reading earlier outputs")
        etag = f'"{state.version}"'
        answer = state.answer(request.query_params.get("tab", "")[:64])
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return _json(answer, headers={"etag": etag})

    async def series(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > 12:
            return _error(422, "after: the number of a point, such as 0")
        return _json(state.series.columns(int(after)))

    async def openapi(_request: Request) -> Response:
        return Response(static.read("openapi.json"), media_type=TYPES[".json"])

    async def metrics(_request: Request) -> Response:
        from fetchpool.web.metrics import CONTENT_TYPE, metrics_text

        return Response(metrics_text(state), headers={"content-type": CONTENT_TYPE})

    def steer(command: Command) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            if (await request.body()).strip() not in (b"", b"{}"):
                return _error(422, "this request takes no body")
            return accept([command])

        return endpoint

    async def settings(request: Request) -> Response:
        try:
            given = msgspec.json.decode(await request.body(), type=dict[str, Any])
            commands = steering.settings(given)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _error(422, 'the body must be an object of settings, such as {"workers": 50}')
        except UsageError as error:
            return _error(422, str(error))
        return accept(commands)

    def accept(commands: list[Command]) -> Response:
        if state.has_ended:
            return _error(409, "the run has ended")
        if not send(b"".join(steering.encode(command) + b"\n" for command in commands)):
            return _error(503, BUSY)
        return _json({"seq": state.seq}, status=202)

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/static/{hash}/{name}", file, methods=["GET"]),
        Route("/api/run", run, methods=["GET"]),
        Route("/api/snapshot", snapshot, methods=["GET"]),
        Route("/api/series", series, methods=["GET"]),
        Route("/api/openapi.json", openapi, methods=["GET"]),
        Route("/api/settings", settings, methods=["PATCH"]),
        Route("/metrics", metrics, methods=["GET"]),
        *(Route(f"/api/{name}", steer(command), methods=["POST"]) for name, command in COMMANDS.items()),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _http_error, Exception: _internal_error},
    )
    app.router.redirect_slashes = False
    return app


def _json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def _error(status: int, line: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"error": line}, status=status, headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow", "")
        return _error(405, f"{request.url.path} takes {allowed}", headers={"allow": allowed})
    return _error(error.status_code, "not found; /api/openapi.json lists the addresses")


async def _internal_error(_request: Request, _failure: Exception) -> Response:
    return _error(500, "internal error of the web page; the run continues")
