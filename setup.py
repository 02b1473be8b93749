"""The compiled build: with FETCHPOOL_COMPILE=1, mypyc compiles the modules that every URL passes through.

`make compiled` and `make wheel` set everything up. It is never built in place, where the compiled modules
would hide the sources. docs/benchmarks.md has the gain.
"""

import os
import sys

from setuptools import setup

COMPILED = """
    crawl/html_tokens crawl/links crawl/policy crawl/targets engine/completed engine/dispatcher
    engine/engine engine/histogram engine/in_flight engine/lifecycle engine/preflight engine/reader
    engine/stats engine/writer history/duplicates history/seen history/stored_lines
    http/body http/conditional http/decoding
    http/exchange http/no_keepalive http/outcome http/redirects http/request_headers http/stored_body
    model/fingerprint model/outcome model/text model/timestamp model/urls pools/async_/pollers
    pools/async_/pool pools/async_/transfer pools/cluster/pool pools/future pools/loop_pool
    pools/process/dispatch pools/process/pool pools/process/shares pools/process/work pools/station
    pools/wakeup pools/wire runtime/limit_clock scheduler/host scheduler/rate_limit scheduler/retry
    scheduler/rotation scheduler/scheduler transports/curl/address_filter
    transports/curl/connection_choice transports/curl/connections transports/curl/handle
    transports/curl/head transports/curl/hop_failure transports/curl/options transports/curl/receiver
    transports/curl/resolve_cache transports/curl/trace transports/curl/transport
    transports/header_index
"""

IN_PLACE = {"develop", "editable_wheel", "--inplace"}

extensions = []
if os.environ.get("FETCHPOOL_COMPILE") == "1":
    try:
        from mypyc.build import mypycify
    except ImportError:
        sys.exit("FETCHPOOL_COMPILE=1 needs mypyc, and everything that fetchpool imports: use `make wheel`")
    if IN_PLACE & set(sys.argv):
        sys.exit("FETCHPOOL_COMPILE=1 does not build in place: use `make compiled`")
    extensions = mypycify(
        # Types of a system with epoll; other systems never use it.
        ["--platform=linux", *(f"fetchpool/{name}.py" for name in COMPILED.split())],
        opt_level="3",
        debug_level="0",
        group_name="fetchpool",
    )

setup(ext_modules=extensions)
