"""A built site, as its pages' links, anchors and resources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a browser fetches by itself, by tag.
_FETCHED = {
    "script": "src", "img": "src", "iframe": "src", "embed": "src", "source": "src",
    "video": "src", "audio": "src", "object": "data", "image": "href", "use": "href",
}  # fmt: skip
_LINKED = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag == "link" and _LINKED & set(found.get("rel", "").split()):
            self.fetched.add(found["href"])
        if found.get(_FETCHED.get(tag, "")):
            self.fetched.add(found[_FETCHED[tag]])


@dataclass(frozen=True)
class Page:
    """One page of the site."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.text)
        return reader

    @property
    def ids(self) -> set[str]:
        return self._read.ids

    @property
    def links(self) -> set[str]:
        return self._read.links

    @property
    def fetched(self) -> set[str]:
        return self._read.fetched

    def target(self, link: str) -> tuple[Path, str]:
        """The file and the anchor that a relative link leads to."""
        parts = urlsplit(link)
        path = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path
        return path, unquote(parts.fragment)


class Site:
    """All pages, by path from the root without suffix."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.pages = {
            str(path.relative_to(self.root).with_suffix("")): Page(path)
            for path in sorted(self.root.rglob("*.html"))
        }

    def __getitem__(self, name: str) -> Page:
        return self.pages[name]
