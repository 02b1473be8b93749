"""Records the cookies that the responses of a fetch set, for the run's cookie jar.

In: the steps of a fetch. Out: the same steps, and an `Outcome` with each `Set-Cookie` and the URL that sent
it. The worker makes no decision about them, since the engine has the jar.
"""

from __future__ import annotations

from msgspec.structs import replace

from fetchpool.http.body import ResponseBody
from fetchpool.http.cookies import LONGEST_LINE, MAX_COOKIES
from fetchpool.http.throttle import body_of
from fetchpool.model.outcome import Outcome
from fetchpool.transports.base import HopRequest, Steps


def recorded(steps: Steps) -> Steps:
    """Yield the same hops; return an outcome with the cookies."""
    received: list[str] = []
    try:
        hop = next(steps)
        while True:
            response = yield hop
            body = body_of(hop.receiver) if isinstance(hop, HopRequest) else None
            if isinstance(hop, HopRequest) and isinstance(body, ResponseBody) and body.head:
                lines = body.head.headers.get_all("set-cookie")[:MAX_COOKIES]
                received += [f"{hop.url} {line}" for line in lines if len(line) <= LONGEST_LINE]
            hop = steps.send(response)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return replace(outcome, set_cookies="\n".join(received)) if received else outcome
    except GeneratorExit:  # the run was aborted
        steps.close()
        raise
