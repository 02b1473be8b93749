"""Requests that follow from other requests: the next hop, the next attempt, one of our own for another.

In: a request. Out: a new one. Nowhere else is a `FetchRequest` made from another one: here each field that it
has is either kept or given up by name, and `tests/unit/model/test_derive.py` asks of a new one which it is.
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
) -> FetchRequest:
    """The next hop. Another scheme, host or port is another origin, but for the same site by https: there is
    no way back to the credentials, even if a later hop returns to where they belong (as in curl)."""
    before = request.href
    return replace(
        request,
        href=target.href,
        host=target.host,
        method=method,
        addresses=request.addresses if target.host == request.host else (),
        dns_time=0.0,
        num_redirects=request.num_redirects + 1,
        crossed_origin=request.crossed_origin
        or (target.origin != urls.origin(before) and not urls.is_upgrade(before, target.href)),
        cookies=cookies,
        from_public=request.from_public or from_public,
        first=request.first or request,
        weight=request.weight + len(target.href) - (0 if request.first is None else len(before)),
    )


def handed_back(request: FetchRequest, elapsed: float) -> FetchRequest:
    """The next hop, to go on when its host's turn has come; `elapsed` seconds of its attempt are over."""
    return replace(request, elapsed=elapsed)


def again(request: FetchRequest) -> FetchRequest:
    """The next attempt, from the start, whatever hop this one had come to."""
    return replace(
        request.first or request,
        num_retries=request.num_retries + 1,
        addresses=(),
        dns_time=0.0,
        elapsed=0.0,
        close=False,
        num_uncounted=request.num_uncounted,
        columns=request.columns,
    )


def by_itself(request: FetchRequest) -> FetchRequest:
    """To a host that bears few connections."""
    return request if request.close else replace(request, close=True)


def again_uncounted(request: FetchRequest) -> FetchRequest:
    """The same attempt once more: it broke because of others."""
    return replace(again(request), num_retries=request.num_retries, num_uncounted=request.num_uncounted + 1)


def with_addresses(request: FetchRequest, addresses: tuple[str, ...], seconds: float) -> FetchRequest:
    """With what is known of its host; `seconds` is how long that took, for this request."""
    return replace(
        request,
        addresses=addresses,
        dns_time=request.dns_time + seconds,
        elapsed=request.elapsed + seconds,
    )


def without_columns(request: FetchRequest) -> FetchRequest:
    """As it is sent to a worker."""
    return replace(request, columns=None)


def with_columns(request: FetchRequest, before: FetchRequest) -> FetchRequest:
    """What came back from a worker, with what it was not sent."""
    return request if before.columns is None else replace(request, columns=before.columns)


def on_behalf_of(request: FetchRequest, urlnum: int, href: str, keep: int) -> FetchRequest:
    """One of our own, to the same origin, for what must be known before that request may start. It has the
    same rights: what the other one may not tell or may not reach, this one may not either."""
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
        keep=keep,
        cookies=(),
        previous=None,
        columns=None,
        first=None,
        weight=0,
    )
