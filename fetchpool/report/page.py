"""Writes a report as a page: one HTML file that needs no other file, no network and no script.

In: the numbers. Out: the text of the page. Jinja2 escapes all text of rows, and the page's policy allows
nothing but its own style sheet. Equal numbers give equal bytes.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from fetchpool.progress.format import count, counted, duration, rate, size
from fetchpool.report import figures
from fetchpool.report.axes import WIDTH
from fetchpool.report.numbers import Course, Numbers, Spread
from fetchpool.report.words import meaning, message, share

DETAILED = 12
"""Maximum number of failure kinds with examples: more would make the page large."""
BRIEF = 20
LINKED = ("http://", "https://")
CUT = "…"


class Others(Struct, frozen=True):
    """The remaining kinds of failure, which share one line."""

    kinds: int
    urls: int


def page(numbers: Numbers) -> str:
    """Return the page."""
    package = files("fetchpool.report")
    style = package.joinpath("page.css").read_text("utf-8")
    course = numbers.course
    day = course.began[:10] if course is not None else ""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "clock": lambda timestamp: _clock(timestamp, day),
        "count": count,
        "markup": Markup,
        "meaning": meaning,
        "message": message,
        "size": size,
        "time": lambda seconds: "" if seconds is None else duration(seconds),
    }
    environment.tests["link"] = is_link
    template = environment.from_string(package.joinpath("page.html.j2").read_text("utf-8"))
    rest = numbers.kinds[DETAILED + BRIEF :]
    return template.render(
        numbers=numbers,
        policy=policy(style),
        style=style,
        share=share,
        width=int(WIDTH),
        title=f"Report of {counted(numbers.total, 'URL')}" if numbers.total else "Report of an empty output",
        subtitle=_subtitle(course),
        headline=_headline(numbers),
        has_times=numbers.times is not None,
        detailed=numbers.kinds[:DETAILED],
        brief=numbers.kinds[DETAILED : DETAILED + BRIEF],
        others=Others(len(rest), sum(kind.urls for kind in rest)) if rest else None,
        hosts_sentence=_hosts_sentence(numbers),
        redirect_sentences=_redirect_sentences(numbers),
        notes=_notes(numbers),
        percentiles=_percentiles(numbers.times),
        figures={
            "outcome": figures.outcome(numbers),
            "times": figures.times(numbers.times),
            "phases": figures.phases(numbers.phases),
            "rates": figures.rates(course),
            "time_course": figures.time_course(course),
            "sizes": figures.sizes(numbers.sizes),
        },
    )


def policy(style: str) -> str:
    """Return the Content-Security-Policy that allows this style sheet and nothing else."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def is_link(url: str) -> bool:
    """Whether a URL becomes a link: one that was shortened or redacted would lead elsewhere."""
    return url.startswith(LINKED) and CUT not in url and "***@" not in url and "\\" not in url


def _headline(numbers: Numbers) -> list[tuple[str, str, str]]:
    """Return the few numbers at the top: name, value, and class."""
    found = [
        ("ok", count(numbers.ok), ""),
        ("failed", count(numbers.failed), "failed" if numbers.failed else ""),
    ]
    if numbers.failed:
        found.append(("failed, share", share(numbers.failed, numbers.total), "failed"))
    if numbers.times is not None:
        found += [
            ("time, p50", duration(numbers.times.p50), ""),
            ("time, p95", duration(numbers.times.p95), ""),
        ]
    if numbers.sizes is not None:
        found.append(("received", size(numbers.size_delivered), ""))
    if numbers.course is not None and numbers.course.elapsed >= 1:
        found.append(("URLs per second", rate(numbers.total / numbers.course.elapsed), ""))
    return found


def _percentiles(times: Spread | None) -> list[tuple[str, str]]:
    if times is None:
        return []
    shares = (("p50", times.p50), ("p90", times.p90), ("p95", times.p95), ("p99", times.p99))
    found = [*shares, ("p99.9", times.p999), ("longest", times.maximum), ("mean", times.total / times.count)]
    return [(name, duration(value)) for name, value in found]


def _subtitle(course: Course | None) -> str:
    if course is None or not course.began or not course.ended:
        return ""
    began, ended = (each[:19].replace("T", " ") for each in (course.began, course.ended))
    end = ended[11:] if began[:10] == ended[:10] else ended
    return f"{began} to {end} UTC, {duration(course.elapsed)}"


def _clock(timestamp: str | None, day: str) -> str:
    """Return a time, with its date unless it is on the first day of the run."""
    if not timestamp:
        return ""
    return timestamp[11:19] if timestamp[:10] == day else timestamp[:16].replace("T", " ")


def _hosts_sentence(numbers: Numbers) -> str:
    hosts = numbers.hosts
    if not hosts.exact:
        return (
            f"More than {count(hosts.number)} hosts, too many to count all: only those with many URLs are "
            f"listed, and up to {counted(hosts.missed, 'URL')} of each may be missing."
        )
    failing = f", {count(hosts.all_failed)} of which had only failures" if hosts.all_failed else ""
    return f"{counted(hosts.number, 'host')}{failing}."


def _redirect_sentences(numbers: Numbers) -> list[str]:
    redirects = numbers.redirects
    if redirects is None:
        return []
    found = []
    if redirects.to_https:
        found.append(f"{counted(redirects.to_https, 'URL')} led from http to https.")
    if redirects.retried:
        urls = counted(redirects.retried, "URL")
        found.append(
            f"{urls} needed more than one attempt, {count(redirects.retried_ok)} of them ok in the end."
        )
    return found


def _notes(numbers: Numbers) -> list[str]:
    """Return the notes about the numbers for the reader."""
    if not numbers.total:
        return ["The outputs have no rows."]
    found = ["Each URL counts once, with its last row."]
    if numbers.times is not None:
        found.append(
            "Percentiles are of all URLs with a time, failed ones included, and within 2.5 % of the exact "
            "value. Times are those of the last request in a chain of redirects."
        )
        found.append("Times of day are UTC.")
    else:
        found.append("The outputs have no times: use a JSONL, CSV, SQLite or Parquet output for them.")
    return found
