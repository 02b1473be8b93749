"""Options of the group "Web page": the web page of a run."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope

OPTIONS: tuple[Option, ...] = (
    Option(
        "web",
        "--web",
        types.SWITCH,
        "Serve a web page that shows and steers this run, and print its link.",
        Scope.FLAG,
    ),
    Option(
        "web_listen",
        "--web-listen [HOST:]PORT",
        types.WEB_LISTEN,
        "Address and port of the web page. Implies --web. (default: 127.0.0.1:8642, or any free port if "
        "8642 is taken)",
        Scope.FLAG,
    ),
    Option(
        "web_host",
        "--web-host NAME",
        types.WEB_HOST,
        "Additional host name by which browsers may open the page. Implies --web. Repeatable.",
        Scope.FLAG,
    ),
    Option(
        "web_read_only",
        "--web-read-only",
        types.SWITCH,
        "Serve a web page that shows this run but cannot steer it. Implies --web.",
        Scope.FLAG,
    ),
)
