"""Scans an HTML page for what a crawl needs: links, `<base>`, robots directives and element IDs.

Linear in the page, whatever it contains.
"""

from __future__ import annotations

import re

from fetchpool.crawl.character_references import decoded
from fetchpool.crawl.css_urls import css_urls
from fetchpool.crawl.html_syntax import (
    ATTRIBUTE,
    END,
    TAG,
    Place,
    after,
    attributes_of,
    comment_end,
    content_end,
)
from fetchpool.crawl.html_tokens import token_regex
from fetchpool.crawl.robots_directives import OURS, meta_forbids
from fetchpool.crawl.srcset import srcset_urls

FOLLOW, NOFOLLOW, OTHER_TAG, REQUISITE = 1, 2, 4, 8
"""Properties of a link. For several links with the same target, the bits are combined."""

IGNORED_RELATIONS = frozenset(
    ("canonical", "preconnect", "dns-prefetch", "pingback", "webmention", "search", "edituri", "nofollow")
)
"""Relations of `<link>` whose targets are not pages: APIs, or resources that only a browser needs."""
REQUISITE_RELATIONS = frozenset(
    ("stylesheet", "icon", "manifest", "preload", "modulepreload", "apple-touch-icon", "mask-icon")
)
SOURCES = {
    "img": ("src", "srcset"),
    "image": ("src", "srcset"),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "embed": ("src",),
    "input": ("src",),
    "object": ("data",),
    "iframe": ("src",),
    "frame": ("src",),
    "body": ("background",),
    "table": ("background",),
    "td": ("background",),
    "th": ("background",),
}
"""Attributes with URLs, by tag."""
IN_PICTURES = frozenset(("a", "image", "use", "script", "feimage"))
"""Tags of SVG with `href`, or `xlink:href`."""
PAGES = frozenset(("a", "area", "iframe", "frame"))
"""Tags whose links are not page requisites."""
RAW = frozenset((*END, "script", "plaintext"))
"""Raw-text elements: they contain no tags."""
REFRESH = re.compile(
    r"""[\t\n\f\r ]*+(?=[0-9.])[0-9.]*+(?=[;,\t\n\f\r ])[\t\n\f\r ]*+[;,]?+[\t\n\f\r ]*+"""
    r"""(?:[uU][rR][lL][\t\n\f\r ]*+=[\t\n\f\r ]*+)?(?:"([^"]*)|'([^']*)|([\s\S]+))"""
)
"""The value of a refresh (section 4.2.5.3 of the HTML standard)."""
BLANKS = "\t\n\f\r "

Instance = tuple[str, str, str, int]
"""A link for `--links`: the URL as written, tag, attribute, bits."""


class PageScan:
    """The content of one page. URLs are as written, with character references."""

    def __init__(
        self,
        *,
        follow_tags: frozenset[str] = frozenset(),
        obeys_rel: bool = True,
        want_instances: bool = False,
        want_ids: bool = False,
        is_xml: bool = False,
    ) -> None:
        self.found: dict[str, int] = {}
        """The bits of each URL's links."""
        self.instances: list[Instance] = []
        self.ids: dict[str, None] = {}
        self.base: str | None = None
        self.canonical: str | None = None
        self.nofollow = False
        """Whether the page asks not to follow its links."""
        self._follow_tags = follow_tags
        self._obeys_rel = obeys_rel
        self._want_instances = want_instances
        self._want_ids = want_ids
        self._is_xml = is_xml

    def scan(self, page: str) -> None:
        """Read the page."""
        tokens = self._tokens(page)
        found = self.found
        follow_a = FOLLOW if not self._follow_tags or "a" in self._follow_tags else OTHER_TAG
        position = 0
        while position >= 0:
            for match in tokens.finditer(page, position):
                href, name, source = match.groups()
                if href is not None:
                    found[href] = found.get(href, 0) | follow_a
                    continue
                if name is None:
                    position = self._read(page, match.start())
                    break
                name = name.lower()
                if name in _CHANGING:
                    position = self._read(page, match.start())
                    break
                attributes: dict[str, str] = {}
                for _, key, double, single, bare in ATTRIBUTE.findall(source):
                    if key:
                        attributes.setdefault(key.lower(), double or single or bare)
                self._tag(name, attributes)
                if name in RAW and not (self._is_xml and source[-2:] == "/>"):
                    position = self._skip(page, match.end(), name)
                    break
            else:
                return

    def _tokens(self, page: str) -> re.Pattern[str]:
        """Return the fastest regex that finds everything relevant in this page."""
        interesting = ["style"] if "(" in page and ("rl(" in page or "RL(" in page) else []
        if self._want_ids:
            interesting += ["id", "name"]
        return token_regex(" ".join(interesting), is_a_short=not self._want_instances)

    def _read(self, page: str, position: int) -> int:
        """Read the tag or comment at `position`, with all SVG, MathML and templates that it opens. Return the
        position after it; -1 at the end of the page."""
        place = Place()
        while found := TAG.search(page, position):
            tag, position = found[0], found.end()
            if tag == "<!--":
                position = comment_end(page, position)
            elif tag in ("<!", "<?", "</"):
                is_data = (place.foreign or self._is_xml) and page.startswith("[CDATA[", position)
                position = after(page, "]]>" if is_data else ">", position)
            elif tag[1] == "/":
                _, position = attributes_of(page, position)
                place.leave(tag[2:].lower())
            else:
                name = tag[1:].lower()
                attributes, position = attributes_of(page, position)
                if position < 0:
                    return -1
                is_empty = page[position - 2] == "/"
                has_tags = place.enter(name, empty=is_empty)
                if not place.in_template:
                    self._tag(name, attributes, is_foreign=place.foreign)
                if not has_tags and not (self._is_xml and is_empty):
                    position = self._skip(page, position, name, is_hidden=place.in_template)
            if position < 0 or place.in_page:
                return position
        return -1

    def _skip(self, page: str, position: int, name: str, *, is_hidden: bool = False) -> int:
        """Return the end of the content of a raw-text element; if it is a style sheet, read its links."""
        end = content_end(page, position, name)
        if name == "style" and not is_hidden:
            for url in css_urls(page[position:end] if end >= 0 else page[position:]):
                self.add(escaped(url), "style", "", FOLLOW | REQUISITE)
        return end

    def _tag(self, name: str, attributes: dict[str, str], *, is_foreign: bool = False) -> None:
        if self._want_ids:
            for key in ("id", "name") if name == "a" else ("id",):
                if value := attributes.get(key):
                    self.ids[decoded(value)] = None
        if (style := attributes.get("style")) and "(" in style:
            for url in css_urls(decoded(style)):
                self.add(escaped(url), name, "style", FOLLOW | REQUISITE)
        if is_foreign:
            if name in IN_PICTURES:
                key = "href" if "href" in attributes else "xlink:href"
                bits = FOLLOW if name == "a" else FOLLOW | REQUISITE
                self._add_attribute(name, key, attributes.get(key, ""), bits)
        elif name in ("a", "area"):
            if (href := attributes.get("href")) is not None:
                bits = FOLLOW
                if self._obeys_rel and (rel := attributes.get("rel")) and "nofollow" in _words(rel):
                    bits = NOFOLLOW
                self.add(href, name, "href", bits)
        elif name == "link":
            self._link(attributes)
        elif name == "meta":
            self._meta(attributes)
        elif name == "base":
            if self.base is None:
                self.base = attributes.get("href")
        elif keys := SOURCES.get(name):
            bits = FOLLOW if name in PAGES else FOLLOW | REQUISITE
            for key in keys:
                if value := attributes.get(key):
                    self._add_attribute(name, key, value, bits)

    def _add_attribute(self, name: str, key: str, value: str, bits: int) -> None:
        if key.endswith("srcset"):
            for url in srcset_urls(decoded(value)):
                self.add(escaped(url), name, key, bits)
        elif value.strip(BLANKS):
            self.add(value, name, key, bits)

    def _link(self, attributes: dict[str, str]) -> None:
        relations = _words(attributes.get("rel", ""))
        href = attributes.get("href", "")
        bits = FOLLOW | REQUISITE if relations & REQUISITE_RELATIONS else FOLLOW
        if self._obeys_rel and "nofollow" in relations:
            bits = NOFOLLOW
        if srcset := attributes.get("imagesrcset"):
            self._add_attribute("link", "imagesrcset", srcset, bits)
        self.add_relation(href, relations, "link", "href", bits)

    def add_relation(self, href: str, relations: frozenset[str], tag: str, attribute: str, bits: int) -> None:
        """Add a link with relations, from `<link>` or the header `Link`."""
        if not href.strip(BLANKS):
            return
        if "canonical" in relations and self.canonical is None:
            self.canonical = href
        if relations - IGNORED_RELATIONS:
            self.add(href, tag, attribute, bits)

    def _meta(self, attributes: dict[str, str]) -> None:
        content = attributes.get("content", "")
        if attributes.get("name", "").strip(BLANKS).lower() in OURS:
            self.nofollow = self.nofollow or meta_forbids(decoded(content))
        elif attributes.get("http-equiv", "").strip(BLANKS).lower() == "refresh" and (
            refresh := REFRESH.match(decoded(content))
        ):
            url = refresh[1] or refresh[2] or refresh[3] or ""
            if url.strip(BLANKS):
                self.add(escaped(url), "meta", "content", FOLLOW)

    def add(self, url: str, tag: str, attribute: str, bits: int) -> None:
        """Add a link."""
        if self._follow_tags and bits & FOLLOW and tag not in self._follow_tags:
            bits = bits & ~FOLLOW | OTHER_TAG
        self.found[url] = self.found.get(url, 0) | bits
        if self._want_instances:
            self.instances.append((url, tag, attribute, bits))


def escaped(url: str) -> str:
    """Return a URL as it would be written in an attribute."""
    return url.replace("&", "&amp;")


def _words(value: str) -> frozenset[str]:
    return frozenset(decoded(value).lower().split())


_CHANGING = frozenset(("svg", "math", "template"))
