"""Decides where a redirect leads, whether it may be followed, and which rights the next hop has.

In: a hop's request and its response with a `Location`. Out: the request of the next hop, or why there is
none. What is sent to another origin is decided in `model/derive.py`. In a run, a redirect to another host is
returned as `Outcome.pending_redirect`, and the engine schedules it (`engine/in_flight.py`).
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http import cookies
from fetchpool.http.body import ResponseBody
from fetchpool.http.proxy_choice import ProxyChoice
from fetchpool.model import derive, urls
from fetchpool.model.addresses import address_is_public
from fetchpool.model.failures import FailureKind
from fetchpool.model.fingerprint import display_url
from fetchpool.model.request import FetchRequest
from fetchpool.transports.base import Failure, HopResult, ResponseHead


class Redirects:
    """The redirects of all fetches of a run."""

    def __init__(self, options: FetchOptions, proxies: ProxyChoice) -> None:
        self._options = options
        self._proxies = proxies
        self._reports = "redirects" in options.keep
        """Whether rows list redirects."""

    def follow(
        self, request: FetchRequest, response: HopResult, body: ResponseBody
    ) -> FetchRequest | Failure:
        """Return the request of the next hop; a Failure if the redirect must not be followed."""
        if request.num_redirects >= self._options.max_redirs:
            limit = self._options.max_redirs
            return Failure(FailureKind.TOO_MANY_REDIRECTS, f"more than {limit} redirects")
        assert body.location is not None
        assert body.head is not None
        target = urls.parse(urls.from_header(body.location), request.href)
        if isinstance(target, urls.InvalidUrl):
            return Failure(target.kind, f"invalid redirect target: {target.message}")
        method = request.method or self._options.method
        if (body.head.status == 303 and method != "HEAD") or (
            body.head.status in (301, 302) and method == "POST"
        ):
            method = "GET"  # RFC 9110 sections 15.4.2 to 15.4.4
        return derive.redirected(
            request,
            target,
            method,
            cookies=cookies.learned(request.cookies, body.head.headers.get_all("set-cookie"), request.href),
            from_public=self._is_public(request, response),
            redirects=((*request.redirects, (request.href, body.head.status)) if self._reports else ()),
        )

    def _is_public(self, request: FetchRequest, response: HopResult) -> bool:
        """Whether a response came from the internet or, behind a proxy, may have come from there."""
        if self._proxies.of(request.href):
            return not urls.is_address(request.host) or address_is_public(request.host.strip("[]"))
        return response.remote_ip is not None and address_is_public(response.remote_ip)


def other_family(host: str, ip_version: str) -> str:
    """Return why a host that is an address of the other family is not allowed; empty for any other host."""
    if not urls.is_address(host) or (host[-1] == "]") == (ip_version == "6"):
        return ""
    return f"{host.strip('[]')} is not an IPv{ip_version} address"


def redirect_target(head: ResponseHead, href: str) -> str | None:
    """Return the URL that a redirect leads to, with its fragment; None if it has no valid one."""
    for location in head.headers.get_all("location"):
        target = urls.parse(urls.from_header(location), href) if location else None
        if isinstance(target, urls.Url):
            _, sign, fragment = location.partition("#")
            return display_url(f"{target.href}{sign}{urls.from_header(fragment)}")
    return None


def check_host_literal(host: str) -> str:
    """Return why a host is not allowed, as far as its name shows; empty if it is allowed. The addresses of a
    name are checked on connecting, unless a proxy connects."""
    ip = host.strip("[]")
    return f"{ip} is not a public address" if urls.is_address(host) and not address_is_public(ip) else ""
