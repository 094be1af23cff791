"""Saved pages: their bytes, and the seconds from opening them to a picture that answers."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.e2e.browser import chromium
from tests.e2e.zoo import every_widget

import headscope as hs
from benchmarks.models import gpt2_small, patterns, token_ids
from benchmarks.peers import bertviz_html, circuitsvis_html
from benchmarks.report import Row, Target, below

COUNTS = (1, 10, 50)
N_TOKENS, N_HEADS = 32, 12
LARGE = 128
PATIENCE_S = 120
RUNS = 3
#: 144 heads at 128 tokens.
LARGE_TARGET = Target("under 3 MB", lambda row: row.ours < 3_000_000)
BERTVIZ = "fetches its scripts from a network"

#: Tells when a page that is being opened can be used: its first figure, and the last of `count`.
WATCH = """(who) => {
  const drawn = (canvas) => canvas && canvas.width * canvas.height > 0 && new Uint32Array(
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)
    .some(Boolean);
  const figures = {
    headscope: () => [...document.querySelectorAll('.headscope')].map((box) => box.shadowRoot),
    circuitsvis: () => [...document.querySelectorAll('[id^=circuits-vis]')],
  }[who];
  window.opened = { first: null, all: null };
  const look = () => {
    const found = figures();
    opened.first ??= drawn(found[0]?.querySelector('canvas')) ? performance.now() / 1000 : null;
    // Figures out of sight may be drawn when they come into it.
    const there = found.filter((figure) => figure.querySelector('.hs-root, canvas')).length;
    opened.all ??= opened.first && there >= COUNT ? performance.now() / 1000 : null;
    if (opened.all === null) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def run() -> list[Row]:
    """A page of each kind; then pages of one layer's 12 heads, one to 50 times, beside peers'."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        return [*_kinds(place), _large(place), *(row for n in COUNTS for row in _counts(place, n))]


def _kinds(folder: Path) -> list[Row]:
    rows = []
    for name, widget in every_widget().items():
        path = widget.save_html(folder / name)
        first, _ = _open(path, "headscope", 1)
        rows.append(Row(f"page of {name}, demo model", path.stat().st_size, "B"))
        rows.append(Row(f"page of {name}, opened", first, "s", target=below(1, "s")))
        widget.close()
    return rows


def _large(folder: Path) -> Row:
    widget = hs.AttentionPatterns(gpt2_small(), token_ids(LARGE))
    widget.run()
    frozen = widget.freeze()
    size = frozen.save_html(folder / "large").stat().st_size
    note = f"nothing left out, weights within {frozen.bound:.2g}"
    if frozen.left_out:
        note = "without " + "; ".join(frozen.left_out)
    what = f"page of 12 x 12 heads, {LARGE} tokens"
    return Row(what, size, "B", note=note, target=LARGE_TARGET)


def _counts(folder: Path, count: int) -> list[Row]:
    model = gpt2_small(layers=1)
    ids = [token_ids(N_TOKENS, shift) for shift in range(count)]
    widgets = [hs.AttentionPatterns(model, one) for one in ids]
    for widget in widgets:
        widget.run()
    ours = hs.save_page(widgets, folder / f"headscope-{count}")
    weights = [patterns(model, one, 1) for one in ids]
    pages = {}
    for peer, html in (("CircuitsVis", circuitsvis_html), ("BertViz", bertviz_html)):
        pages[peer] = folder / f"{peer}-{count}.html"
        # Each in an element of its own, as in a notebook: CircuitsVis leaves its <div> open.
        parts = [f"<section>{html(one)}</section>" for one in weights]
        pages[peer].write_text("\n".join(parts), encoding="utf-8")
    what = f"{count} widget{'s' * (count > 1)}, {N_HEADS} heads, {N_TOKENS} tokens"
    size = ours.stat().st_size
    rows = [Row(f"page of {what}", size, "B", p, f.stat().st_size) for p, f in pages.items()]
    mine = _open(ours, "headscope", count)
    theirs = _open(pages["CircuitsVis"], "circuitsvis", count, runs=1)
    for which, one, other in zip(("the first", "all"), mine, theirs, strict=True):
        note = "" if other is not None else f"not there after {PATIENCE_S} s"
        rows.append(Row(f"{what}, {which} opened", one or 0, "s", "CircuitsVis", other, note))
    rows.append(Row(f"{what}, all opened", mine[1] or 0, "s", "BertViz", None, BERTVIZ))
    for widget in widgets:
        widget.close()
    return rows


def _open(path: Path, who: str, count: int, runs: int = RUNS) -> tuple[Any, Any]:
    """Seconds from opening a page to its first figure and to its last, medians; None: too late."""
    from playwright.sync_api import Error

    seen = []
    with chromium() as context:
        context.set_offline(True)
        page = context.new_page()
        page.add_init_script(f"({WATCH.replace('COUNT', str(count))})('{who}')")
        for _ in range(runs):
            page.goto(path.as_uri(), wait_until="commit")
            try:
                page.wait_for_function("() => window.opened?.all", timeout=1000 * PATIENCE_S)
            except Error:
                return page.evaluate("() => window.opened.first"), None
            seen.append(page.evaluate("() => [opened.first, opened.all]"))
    return median(first for first, _ in seen), median(last for _, last in seen)
