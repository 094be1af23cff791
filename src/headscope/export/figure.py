"""Figures for papers: SVG, PNG and PDF of what a page shows, with no browser.

The drawing code is the page's own, so that a figure and the page show the same marks.
"""

from __future__ import annotations

import base64
import gzip
import html
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from headscope.arguments import fit
from headscope.errors import RequestError
from headscope.export import png_file
from headscope.export.engine import as_json, call
from headscope.export.frozen import Frozen, Snapshot, freeze
from headscope.export.slices import slices_of
from headscope.results import Result
from headscope.wire.messages import Selection
from headscope.wire.paths import write

Theme = Literal["light", "dark"]
PIXELS_PER_INCH = 96
#: Of a figure across both columns of a paper.
WIDTH_IN = 7.0
_LEAST_IN, _MOST_IN = 2.0, 60.0
_NOTHING: Selection = {
    "layer": None, "head": None, "dest": None, "src": None, "token": None,
    "component": None, "feature": None,
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """What a figure looks like.

    Args:
        width: In inches; the height follows from what is drawn.
        theme: `light` or `dark`.
        title: Above it; None for the result's own, "" for none.
        caption: Below it: definition, sign and normalisation if None; "" for none.

    Raises:
        RequestError: One of them is none.
    """

    width: float = WIDTH_IN
    theme: Theme = "light"
    title: str | None = None
    caption: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.width, (int, float)) or not _LEAST_IN <= self.width <= _MOST_IN:
            raise RequestError(
                f"width is {self.width!r}.", f"Pass inches, from {_LEAST_IN:g} to {_MOST_IN:g}."
            )
        if self.theme not in ("light", "dark"):
            raise RequestError(f"theme is {self.theme!r}.", "Choose 'light' or 'dark'.")
        fit("title", self.title, str | None)
        fit("caption", self.caption, str | None)


def svg(frozen: Frozen, style: Style) -> str:
    """A packed widget as SVG text, its provenance in the metadata.

    Raises:
        HeadscopeError: The front end is not built.
    """
    if frozen.parts:
        from headscope.export.arranged import arranged

        return arranged(frozen, style)
    line, body = gzip.decompress(base64.b64decode(frozen.text)).split(b"\n", 1)
    wanted = {
        "width": style.width * PIXELS_PER_INCH, "theme": style.theme, "title": style.title,
        "caption": style.caption,
    }  # fmt: skip
    drawn: str = call(
        "headscopeFigure", line.decode("ascii"), base64.b64encode(body).decode("ascii"),
        as_json(wanted),
    )  # fmt: skip
    return drawn


def png(drawn: str, scale: float = 2.0) -> bytes:
    """An SVG as the bytes of a PNG, its metadata in a text chunk.

    Args:
        drawn: SVG text.
        scale: Pixels for each of the SVG's, of which an inch has 96.

    Raises:
        RequestError: The scale is none.
    """
    if not isinstance(scale, (int, float)) or not 0.1 <= scale <= 20:
        raise RequestError(f"scale is {scale!r}.", "Pass a number from 0.1 to 20.")
    import vl_convert

    data = png_file.smaller(vl_convert.svg_to_png(drawn, scale=scale, ppi=72))
    record = re.search("<metadata>(.*?)</metadata>", drawn, re.DOTALL)
    return png_file.with_text(data, html.unescape(record[1])) if record else data


def pdf(drawn: str) -> bytes:
    """An SVG as the bytes of a PDF of one page, of its size, with its fonts embedded."""
    import vl_convert

    # The converter takes a pixel for a point, of which an inch has 72.
    in_points = re.sub(
        r'^<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"',
        lambda m: f'<svg {m[1]}width="{float(m[2]) * 0.75:g}" height="{float(m[3]) * 0.75:g}"',
        drawn,
        count=1,
    )
    data: bytes = vl_convert.svg_to_pdf(in_points)
    return data


class Figures:
    """Figures of whatever can be packed as it is shown."""

    def _packed(self) -> Frozen:
        """What is drawn."""
        raise NotImplementedError

    def to_svg(self, path: str | Path | None = None, **style: Any) -> Any:
        """A figure as SVG, drawn as a page draws it: what is selected, sorted, thresholded counts.

        Letters stay letters, in a sans-serif and a fixed-width font of the reader's machine; a PDF
        embeds its fonts. The result's provenance is in the metadata, as JSON.

        Args:
            path: Where to write it (`.svg`); None returns the text.
            **style: `width` in inches (7; the height follows), `theme` ("light" or "dark"),
                `title` and `caption` (None: the result's own; "": none).

        Returns:
            SVG text, or the path.

        Raises:
            RequestError: There is no such style, or the path has another ending.
            ResultError: There is no result yet.
        """
        return written(self._drawn(style), path, ".svg")

    def to_png(self, path: str | Path | None = None, *, scale: float = 2.0, **style: Any) -> Any:
        """The figure as PNG; see `to_svg`.

        Args:
            path: Where to write it (`.png`); None returns the bytes.
            scale: Pixels for each of the SVG's, of which an inch has 96.
            **style: As of `to_svg`.

        Returns:
            Bytes, or the path.
        """
        return written(png(self._drawn(style), scale), path, ".png")

    def to_pdf(self, path: str | Path | None = None, **style: Any) -> Any:
        """The figure as a PDF of one page, fonts embedded; see `to_svg`.

        Args:
            path: Where to write it (`.pdf`); None returns the bytes.
            **style: As of `to_svg`.

        Returns:
            Bytes, or the path.
        """
        return written(pdf(self._drawn(style)), path, ".pdf")

    def _drawn(self, style: dict[str, Any]) -> str:
        known = [field.name for field in fields(Style)]
        strange = style.keys() - {*known}
        if strange:
            raise RequestError(
                f"Figures have no {min(strange)!r}.", f"Their style is {', '.join(known)}."
            )
        return svg(self._packed(), Style(**style))


class ResultFigures(Figures):
    """Figures of a result alone, as a widget with no option set shows it."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def _packed(self) -> Frozen:
        snapshot: Snapshot = {
            "widget": "", "fields": [], "values": {}, "prompt": None, "selection": _NOTHING,
            "status": {"job": 0, "state": "done", "fraction": 1.0, "eta_s": None, "message": "",
                       "paused": None},
            "error": None, "interventions": None, "effect": "with", "shifts": [], "view": {},
            "arguments": {}, "marks": {}, "notes": [], "missing": [],
        }  # fmt: skip
        slices = slices_of(self._result, {}, _NOTHING)
        return freeze(snapshot, slices, "visible")


def written(data: str | bytes, path: str | Path | None, suffix: str) -> Any:
    """`data` itself, or the path that it was written to."""
    if path is None:
        return data
    content = data.encode() if isinstance(data, str) else data
    return write(path, suffix, lambda target: target.write_bytes(content))
