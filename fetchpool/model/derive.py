"""Derives requests from requests: the next hop, the next attempt, an internal request.

In: a request. Out: a new one. A `FetchRequest` is derived from another one only here: each of its fields is
either kept or reset by name, and `tests/unit/model/test_derive.py` fails for a new field until that is
decided.
"""

from __future__ import annotations

from msgspec.structs import replace

from fetchpool.model import urls
from fetchpool.model.record import Cookie
from fetchpool.model.request import FetchRequest


def redirected(
    request: FetchRequest,
    target: urls.Url,
    method: str,
    *,
    cookies: tuple[Cookie, ...],
    from_public: bool,
    redirects: tuple[tuple[str, int], ...] = (),
) -> FetchRequest:
    """Return the request for the next hop. A different scheme, host or port is a different origin, except for
    an upgrade of the same site to https. Credentials are not sent again, even if a later hop returns to the
    first origin (as in curl)."""
    before = request.href
    return replace(
        request,
        href=target.href,
        host=target.host,
        method=method,
        addresses=request.addresses if target.host == request.host else (),
        dns_time=0.0,
        spacing=0.0,
        num_redirects=request.num_redirects + 1,
        crossed_origin=request.crossed_origin
        or (target.origin != urls.origin(before) and not urls.is_upgrade(before, target.href)),
        cookies=cookies,
        from_public=request.from_public or from_public,
        redirects=redirects,
        first=request.first or request,
        weight=request.weight + len(target.href) - (0 if request.first is None else len(before)),
    )


def handed_back(request: FetchRequest, elapsed: float) -> FetchRequest:
    """Return a hop that the engine must schedule; `elapsed` seconds of its attempt are over."""
    return replace(request, elapsed=elapsed)


def again(request: FetchRequest) -> FetchRequest:
    """Return the request for the next attempt, which starts with the first hop."""
    return replace(
        request.first or request,
        num_retries=request.num_retries + 1,
        addresses=(),
        dns_time=0.0,
        spacing=0.0,
        elapsed=0.0,
        close=False,
        num_uncounted=request.num_uncounted,
        input_columns=request.input_columns,
    )


def with_method(request: FetchRequest, method: str) -> FetchRequest:
    """Return the request for an attempt with another method, which does not count as a retry."""
    return replace(again(request), method=method, num_retries=request.num_retries)


def closing(request: FetchRequest) -> FetchRequest:
    """Return the request with `close` set, for a host that accepts few connections."""
    return request if request.close else replace(request, close=True)


def again_uncounted(request: FetchRequest) -> FetchRequest:
    """Return the request for an attempt that does not count as a retry."""
    return replace(again(request), num_retries=request.num_retries, num_uncounted=request.num_uncounted + 1)


def spaced(request: FetchRequest, spacing: float) -> FetchRequest:
    """Return the request with the delay that applies after its start."""
    return request if request.spacing == spacing else replace(request, spacing=spacing)


def with_addresses(
    request: FetchRequest, addresses: tuple[str, ...], seconds: float, spacing: float = 0.0
) -> FetchRequest:
    """Return the request with the addresses of its host and the delay that applies after its start; `seconds`
    is the duration of the lookup."""
    return replace(
        request,
        addresses=addresses,
        dns_time=request.dns_time + seconds,
        elapsed=request.elapsed + seconds,
        spacing=spacing,
    )


def with_cookies(request: FetchRequest, cookies: tuple[Cookie, ...]) -> FetchRequest:
    """Return the request with the cookies for its host, which include those of earlier hops."""
    return replace(request, cookies=cookies)


def without_input_columns(request: FetchRequest) -> FetchRequest:
    """Return the request as it is sent to a worker."""
    return replace(request, input_columns=None)


def with_input_columns(request: FetchRequest, before: FetchRequest) -> FetchRequest:
    """Return a redirect that a worker has made, with the columns that were not sent to the worker."""
    return request if before.input_columns is None else replace(request, input_columns=before.input_columns)


def listed_by(request: FetchRequest, origin: str, *, from_public: bool) -> FetchRequest:
    """Return the request for a URL that a sitemap lists. Its author is not the user: the URL has no more
    rights than a redirect there from the sitemap's `origin`, which `from_public` says to be on the public
    internet."""
    if not request.href:
        return request
    is_foreign = urls.origin(request.href) != origin and not urls.is_upgrade(f"{origin}/", request.href)
    return replace(request, crossed_origin=is_foreign, from_public=from_public)


def on_behalf_of(request: FetchRequest, urlnum: int, href: str, capture_bytes: int) -> FetchRequest:
    """Return an internal request to the same origin, which must complete before `request` may start. It has
    the same rights, so that it can't send or reach anything that `request` can't."""
    return replace(
        request,
        urlnum=urlnum,
        url=href,
        href=href,
        num_retries=0,
        num_uncounted=0,
        close=False,
        num_redirects=0,
        method="GET",
        elapsed=0.0,
        dns_time=0.0,
        capture_bytes=capture_bytes,
        cookies=(),
        redirects=(),
        previous=None,
        input_columns=None,
        first=None,
        weight=0,
    )
