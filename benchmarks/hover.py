"""Milliseconds of main thread that a moving pointer costs, on pages that need no kernel."""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from tests.e2e.browser import chromium

import headscope as hs
from benchmarks.models import gpt2_small, patterns, token_ids
from benchmarks.notebook import PAGE_JS
from benchmarks.peers import circuitsvis_html
from benchmarks.report import Row, below

N_TOKENS = 512
#: What the peer still opens in seconds.
PEER_TOKENS = 32
MOVES = 150
#: Every one of the peer's takes about a second.
COMPARED_MOVES = 10
LIMIT = below(16, "ms")


def run() -> list[Row]:
    """A frame in the overview and in a matrix; then a move of the mouse, beside CircuitsVis."""
    model = gpt2_small()
    with TemporaryDirectory() as folder, chromium() as context:
        page = context.new_page()
        ours, theirs = Path(folder) / "headscope.html", Path(folder) / "circuitsvis.html"
        widget = hs.AttentionPatterns(model, token_ids(N_TOKENS))
        widget.run()
        widget.save_html(ours)
        theirs.write_text(circuitsvis_html(patterns(model, token_ids(PEER_TOKENS))), "utf-8")

        boxes = _open(page, ours, "headscope")
        rows = []
        for place, box in zip(("overview", "matrix"), boxes, strict=True):
            spent = page.evaluate("(a) => bench.sweep(a)", {**_diagonal(box), "steps": MOVES})
            what = f"hover a frame, {place}, {N_TOKENS} tokens"
            rows.append(Row(f"{what}, median", median(spent), "ms", target=LIMIT))
            rows.append(Row(f"{what}, 95th percentile", _p95(spent), "ms", target=LIMIT))
        move = _move_ms(page, boxes[0])
        boxes = _open(page, theirs, "circuitsvis")
        note = f"{N_TOKENS} tokens beside {PEER_TOKENS}; all tasks of the browser's main thread"
        peer = _move_ms(page, {**boxes[0], "width": boxes[-2]["right"] - boxes[0]["x"]})
        rows.append(Row("move over the overview, mean", move, "ms", "CircuitsVis", peer, note))
    return rows


def _open(page: Any, path: Path, who: str) -> list[dict[str, float]]:
    """Where the page's canvases are, once they are painted."""
    page.goto(path.as_uri())
    page.evaluate(f"() => {{ window.bench = {PAGE_JS.rstrip()}; }}")
    page.wait_for_function("(who) => bench.painted(who)", arg=who, timeout=120_000)
    boxes: list[dict[str, float]] = page.evaluate("(who) => bench.boxes(who)", who)
    return boxes


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _diagonal(box: dict[str, float]) -> dict[str, dict[str, float]]:
    """From the upper left to the lower right, below the diagonal, past the labels."""
    x, y, width, height = (box[side] for side in ("x", "y", "width", "height"))
    return {
        "from": {"x": x + 0.25 * width, "y": y + 0.3 * height},
        "to": {"x": x + 0.7 * width, "y": y + 0.95 * height},
    }


def _move_ms(page: Any, box: dict[str, float]) -> float:
    """Mean time in tasks per move of the mouse along a row of heads and the frame that follows."""
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable")

    def busy_s() -> float:
        metrics = client.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    before = busy_s()
    for i in range(COMPARED_MOVES):
        share = (i + 0.5) / COMPARED_MOVES
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
        page.evaluate("() => bench.tillFrameIsOnScreen()")
    return 1000 * (busy_s() - before) / COMPARED_MOVES
