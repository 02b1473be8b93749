"""The oracle: what a crawl of a directory of files must find, computed from the files without HTTP.

In: a directory, and the path of a start page. Out: the closure of its links: the status of each URL, and each
dead link with every page that has it. It uses nothing of fetchpool: pages are parsed by lxml, or by html5lib
(slow, and as the standard says), URLs are joined by urllib.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

import html5lib
import lxml.etree
import lxml.html

HOST = "http://oracle.invalid"
ATTRIBUTES = {
    "a": ("href",),
    "area": ("href",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "frame": ("src",),
    "input": ("src",),
    "object": ("data",),
    "body": ("background",),
    "table": ("background",),
    "td": ("background",),
    "image": ("href", "{http://www.w3.org/1999/xlink}href"),
    "use": ("href", "{http://www.w3.org/1999/xlink}href"),
}
RECORDED_RELS = {"canonical"}
"""Relations that are no links to follow."""
IGNORED_RELS = {"preconnect", "dns-prefetch", "pingback", "search"}
CSS_URL = re.compile(
    rb"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)'"\s]*))\s*\)|@import\s+(?:"([^"]*)"|'([^']*)')"""
)
CSS_COMMENT = re.compile(rb"/\*.*?(?:\*/|\Z)", re.S)
SAFE = "!$&'()*+,;=:@/%-._~?[]|^\\"
"""Characters of a path that the URL Standard leaves as they are, or that a page here does not have."""


class Link(NamedTuple):
    """A link of a page, without its fragment."""

    page: str
    target: str


class Closure(NamedTuple):
    """What a crawl of the directory must find."""

    statuses: dict[str, int]
    """By target, the path of the URL."""
    links: set[Link]

    @property
    def dead(self) -> set[Link]:
        """The dead links, with every page that has one."""
        return {link for link in self.links if self.statuses.get(link.target) in (403, 404)}


def closure(
    root: Path,
    start: str,
    *,
    inside: Callable[[str], bool] = lambda _: True,
    parse: Callable[[bytes], Any] = lxml.html.fromstring,
    index: str | None = "index.html",
) -> Closure:
    """Return what a crawl from `start` must find below `root`; `inside` says which targets are in scope."""
    statuses: dict[str, int] = {}
    links: set[Link] = set()
    waiting = [start]
    while waiting:
        target = waiting.pop()
        if target in statuses:
            continue
        status, content, kind, moved = served(root, target, index)
        statuses[target] = status
        found = [moved] if moved else list(references(content, kind, target, parse))
        for reference in found:
            absolute = normalised(reference, target)
            if absolute is not None and inside(absolute):
                links.add(Link(target, absolute))
                waiting.append(absolute)
    return Closure(statuses, links)


def served(root: Path, target: str, index: str | None) -> tuple[int, bytes, str, str]:
    """Return how nginx serves a target: status, content, kind, and where it redirects."""
    file = root / unquote(target.partition("?")[0]).lstrip("/")
    try:
        if file.is_dir():
            if not target.endswith("/"):
                return 301, b"", "", f"{target}/"
            if index is None or not (file / index).is_file():
                return 403, b"", "", ""
            file = file / index
        elif target.endswith("/"):
            return 404, b"", "", ""
        if not file.is_file():
            return 404, b"", "", ""
    except (OSError, ValueError):  # a name that no file can have
        return 404, b"", "", ""
    kind = {".html": "html", ".htm": "html", ".css": "css"}.get(file.suffix, "")
    return 200, file.read_bytes() if kind else b"", kind, ""


def normalised(reference: str, target: str) -> str | None:
    """Return the target of a reference in a page, without its fragment; None for other hosts and schemes."""
    reference = re.sub("[\t\n\r]", "", reference.strip(" \t\n\r\f"))
    try:
        url = urlsplit(urldefrag(urljoin(f"{HOST}{target}", reference))[0])
    except ValueError:
        return None
    if f"{url.scheme}://{url.netloc}" != HOST:
        return None
    path = quote(url.path or "/", safe=SAFE)
    return f"{path}?{quote(url.query, safe=SAFE)}" if url.query else path


def references(content: bytes, kind: str, target: str, parse: Callable[[bytes], Any]) -> Iterator[str]:
    """Return the references of a page or a style sheet as they are to be joined with the page's URL."""
    if kind == "css":
        yield from css_references(content)
    elif kind == "html" and content.strip():
        root = parse(content)
        base = next((element.get("href") for element in root.iter("base") if element.get("href")), None)
        for reference in page_references(root):
            yield reference if base is None else urljoin(urljoin(f"{HOST}{target}", base), reference)


def page_references(root: Any) -> Iterator[str]:
    for element in root.iter():
        tag = element.tag
        if not isinstance(tag, str):
            continue
        if any(ancestor.tag == "template" for ancestor in element.iterancestors()) if tag == "a" else False:
            continue
        if tag == "link" and not wanted(element.get("rel", "")):
            continue
        if "nofollow" in element.get("rel", "").lower().split() and tag in ("a", "area"):
            continue
        for name in ATTRIBUTES.get(tag, ()):
            value = element.get(name)
            if value is None or value.strip() == "":
                if name == "href" and value is not None and tag in ("a", "area"):
                    yield ""
                continue
            if name == "srcset":
                yield from (part.split()[0].rstrip(",") for part in re.split(r",\s+", value) if part.strip())
            else:
                yield value
        if tag == "meta" and element.get("http-equiv", "").lower() == "refresh":
            refresh = re.search(r"url\s*=\s*['\"]?([^'\"]*)", element.get("content", ""), re.I)
            if refresh:
                yield refresh[1]
        if tag == "style" and element.text:
            yield from css_references(element.text.encode())
        if element.get("style"):
            yield from css_references(element.get("style").encode())


def wanted(rel: str) -> bool:
    """Whether a `<link>` with these relations is followed."""
    rels = set(rel.lower().split())
    return bool(rels) and not rels <= IGNORED_RELS | RECORDED_RELS


def css_references(content: bytes) -> Iterator[str]:
    for match in CSS_URL.finditer(CSS_COMMENT.sub(b"", content)):
        value = next((group for group in match.groups() if group is not None), b"").decode("utf-8", "replace")
        if value.strip():
            yield value


def by_the_standard(content: bytes) -> Any:
    """Parse a page with html5lib: as the standard says, and a hundred times slower than lxml."""
    return html5lib.parse(content, treebuilder="lxml", namespaceHTMLElements=False).getroot()
