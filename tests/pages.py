"""Saved pages taken apart, as a browser does it."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import math
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from headscope.results import Result
from headscope.wire import decode


class Page(HTMLParser):
    """Elements with their attributes, and the scripts by class, as an HTML parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, list[str]] = {}
        self._script: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("class") or "inline"
            self.scripts.setdefault(self._script, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script][-1] += data

    @classmethod
    def read(cls, path: Path) -> Page:
        return cls(path.read_text(encoding="utf-8"))

    @property
    def widgets(self) -> list[tuple[dict[str, Any], Result]]:
        """What each place shows, and its result."""
        return [unpack(text) for text in self.scripts.get("headscope-data", [])]

    @property
    def codes(self) -> list[str]:
        """The bundles."""
        return [_bytes(text).decode() for text in self.scripts["headscope-code"]]


def unpack(text: str) -> tuple[dict[str, Any], Result]:
    """A packed widget: what it shows, and its result."""
    line, _, rest = _bytes(text).partition(b"\n")
    shown = json.loads(line)
    sizes = [
        math.prod(array["shape"]) * np.dtype(array["dtype"]).itemsize
        for array in shown["header"]["arrays"]
    ]
    ends = np.cumsum([0, *sizes]).tolist()
    assert ends[-1] == len(rest), "nothing behind the last buffer"
    buffers = [rest[start:end] for start, end in itertools.pairwise(ends)]
    return shown, decode({"header": shown["header"], "buffers": buffers})


def _bytes(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text, validate=True))
