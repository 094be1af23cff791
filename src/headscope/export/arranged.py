"""Figures of widgets that hold others: each in its place, as the page lays them out."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from headscope.export.figure import PIXELS_PER_INCH, Style, svg
from headscope.export.frozen import Frozen

_GAP = 8.0
_LEAST_IN = 2.0
_TITLE_HEIGHT = 30.0
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
_PAPER = re.compile(r'<rect [^>]*?fill="([^"]+)"')
_RECORD = re.compile("<metadata>(.*?)</metadata>", re.DOTALL)


@dataclass(frozen=True)
class _Drawn:
    """A part's figure, and where it is."""

    text: str
    x: float
    y: float
    width: float
    height: float


def arranged(frozen: Frozen, style: Style) -> str:
    """The figures of all parts as one SVG, their provenance in its metadata.

    Collapsed panes are left out. Columns are as on the page, or one below the other where the
    figure has no room for them. `title` is above them all.
    """
    shown = json.loads(gzip.decompress(base64.b64decode(frozen.text)).split(b"\n", 1)[0])
    total = style.width * PIXELS_PER_INCH
    top = _TITLE_HEIGHT if style.title else 0.0
    drawn: list[_Drawn] = []
    x = 0.0
    for parts, width in _columns(shown, frozen.parts, total):
        y = top
        for part in parts:
            drawn.append(_draw(part, replace(style, title=None), x, y, width))
            y += drawn[-1].height + _GAP
        x += width + _GAP
    height = max(one.y + one.height for one in drawn)
    return "\n".join([*_frame(drawn, total, height, style.title), "</svg>"]) + "\n"


def _columns(
    shown: dict[str, Any], parts: Sequence[Frozen], total: float
) -> list[tuple[list[Frozen], float]]:
    """The parts of each column, and its width in pixels."""
    view = shown["view"]
    at = {
        pane["name"]: parts[int(pane["widget"])]
        for pane in shown["panes"]
        if pane["widget"] is not None and pane["name"] not in view.get("collapsed", ())
    } or {"": parts[0]}
    columns = view.get("columns") or [list(at)]
    shares = view.get("shares") or [1] * len(columns)
    kept = [
        ([at.pop(name) for name in names if name in at], share)
        for names, share in zip(columns, shares, strict=False)
    ]
    kept = [(column, share) for column, share in kept if column]
    room = total - _GAP * (len(kept) - 1)
    sum_of = sum(share for _, share in kept)
    found = [(column, room * share / sum_of) for column, share in kept]
    if at or any(width < _LEAST_IN * PIXELS_PER_INCH for _, width in found):
        return [([*(part for column, _ in kept for part in column), *at.values()], total)]
    return found


def _draw(part: Frozen, style: Style, x: float, y: float, width: float) -> _Drawn:
    text = svg(part, replace(style, width=width / PIXELS_PER_INCH))
    wide, tall = _SIZE.findall(text)[0]
    return _Drawn(text, x, y, float(wide), float(tall))


def _frame(drawn: Sequence[_Drawn], width: float, height: float, title: str | None) -> list[str]:
    records = [json.loads(html.unescape(m[1])) for one in drawn if (m := _RECORD.search(one.text))]
    record = json.dumps({"headscope": [each["headscope"] for each in records]})
    paper = _PAPER.search(drawn[0].text)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}">',
        f"<metadata>{html.escape(record)}</metadata>",
        f'<rect width="{width:g}" height="{height:g}" fill="{paper[1] if paper else "none"}"/>',
    ]
    if title:
        ink = "#1a1a1a" if paper is None or paper[1] == "#ffffff" else "#e6e6e6"
        lines.append(
            f'<text x="12" y="20" font-family="sans-serif" font-size="15" font-weight="600" '
            f'fill="{ink}">{html.escape(title)}</text>'
        )
    lines += [_placed(one, number) for number, one in enumerate(drawn)]
    return lines


def _placed(drawn: _Drawn, number: int) -> str:
    """A figure within another: its names are its own, its record is the other's."""
    text = _RECORD.sub("", drawn.text.strip())
    text = re.sub(r'(?<=\bid=")|(?<=url\(#)', f"p{number}-", text)
    return text.replace("<svg ", f'<svg x="{drawn.x:g}" y="{drawn.y:g}" ', 1)
