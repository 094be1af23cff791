"""Widgets as one self-contained page that works from `file://` with no network."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.export.bundle import read_bundle
from headscope.export.frozen import Freezable, Frozen, packed
from headscope.wire.paths import write

#: Views that are in a bundle of their own, by result kind, or by name where a kind has several.
_VIEWS = {
    "patterns": "frozen-attention.js",
    "circuit_graph": "frozen-graph.js",
    "bars": "frozen-bars.js",
    "curves": "frozen-curves.js",
    "texts": "frozen-texts.js",
    "interventions": "frozen-interventions.js",
    "panes": "frozen-panes.js",
}

#: Nothing may be fetched: scripts and styles are in the page, images are made by it.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_UNPACK = resources.files(__package__).joinpath("unpack.js").read_text(encoding="utf-8")
_STYLE = "figure{margin:0 0 24px}figcaption{margin:8px 0;font:600 16px system-ui,sans-serif}"
_WHOLE_PAGE = "page"

#: A heading that the first widget's own one would only repeat: for screen readers alone.
_UNSEEN = ' style="position: absolute; clip-path: inset(50%)"'


@checked
def save_page(
    widgets: Iterable[Freezable | Frozen] | Freezable | Frozen,
    path: str | Path,
    *,
    title: str = "",
    captions: Sequence[str] = (),
    link: bool = True,
) -> Path:
    """Write widgets, in order, as one page that needs no network and no kernel.

    All that needs no model keeps working: hover, zoom, pins, the choice among the heads and
    measures that travel, thresholds, groups, tables, and figures to download. What does need one is
    shown disabled. The page holds the front end once (about 52 kB, 30 more for attention, 41 more
    for graphs), and every widget packed.

    Args:
        widgets: Widgets, as `widget.freeze()` packs them, or what `widget.freeze(...)` gave.
        path: Where to write; `.html` is added if there is no suffix, missing folders are made.
        title: Title of the page; the first result's own title if empty.
        captions: A heading for each widget.
        link: Whether a head or layer chosen in one widget is chosen in all, and tokens in those of
            the same prompt. Otherwise only widgets that `hs.link` joined follow each other.

    Raises:
        HeadscopeError: There is no widget, one has no result yet, the front end is not built, or
            nothing can be written there; an older file of that name then stays.
    """
    shown = list(widgets) if isinstance(widgets, Iterable) else [widgets]
    strangers = [one for one in shown if isinstance(one, type) or not hasattr(one, "save_html")]
    if strangers or not shown or isinstance(widgets, (str, Path)):
        what = f"a {type(strangers[0]).__name__}" if strangers else "nothing"
        raise ResultError(
            f"A page is made of widgets, not of {what}.",
            "Pass them as a list: hs.save_page([widget], path).",
        )
    if captions and len(captions) != len(shown):
        raise ResultError(
            f"There are {len(shown)} widgets and {len(captions)} captions.",
            "Pass one for each; an empty one shows nothing.",
        )
    frozen = [one if isinstance(one, Frozen) else one.freeze() for one in shown]
    if link and len(frozen) > 1:
        frozen = [one.linked(_WHOLE_PAGE) for one in frozen]
    text = page(frozen, title, captions)
    return write(path, ".html", lambda file: file.write_text(text, encoding="utf-8"))


def page(frozen: Sequence[Frozen], title: str = "", captions: Sequence[str] = ()) -> str:
    """The HTML text of a page."""
    captions = captions or [""] * len(frozen)
    figures = "\n".join(
        f"<figure>{caption and f'<figcaption>{html.escape(caption)}</figcaption>'}{place(one)}"
        "</figure>"
        for one, caption in zip(frozen, captions, strict=True)
    )
    heading = html.escape(title or frozen[0].title)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1{"" if title else _UNSEEN}>{heading}</h1>
{figures}
</main>
{front_end(frozen)}
</body>
</html>
"""


def place(frozen: Frozen, role: Literal["frozen", "part"] = "frozen") -> str:
    """The element of one widget; the page's `front_end` finds it and draws into it.

    One that is a part is in the element of the widget that holds it.
    """
    group = frozen.group and f' data-link="{html.escape(frozen.group)}"'
    data = f'<script type="text/plain" class="headscope-data">{frozen.text}</script>'
    needs = " ".join(dict.fromkeys(frozen.needs))
    parts = "".join(place(part, "part") for part in frozen.parts)
    return f'<div class="headscope-{role}" data-kind="{needs}"{group}>{data}{parts}</div>'


def front_end(frozen: Iterable[Frozen]) -> str:
    """The scripts that draw these widgets, for the end of a page that has their places."""
    return carried(bundles(need for one in frozen for need in one.needs))


def bundles(needs: Iterable[str]) -> tuple[str, ...]:
    """Names of the bundles for what widgets need, in the order in which they load."""
    needed = set(needs)
    return (*(bundle for kind, bundle in _VIEWS.items() if kind in needed), "frozen.js")


def carried(names: Iterable[str]) -> str:
    """Bundles as a page carries them, and the script that unpacks them."""
    codes = [
        f'<script type="text/plain" class="headscope-code">{packed(read_bundle(name).encode())}'
        "</script>"
        for name in names
    ]
    return "\n".join([*codes, f"<script>{_UNPACK}</script>"]) if codes else ""
