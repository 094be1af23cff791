"""Bytes that reach the page for the first picture of 12 x 12 heads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import headscope as hs
from benchmarks.models import LAYERS, gpt2_small, patterns, token_ids
from benchmarks.peers import bertviz_html, circuitsvis_html
from benchmarks.report import Row, Target
from headscope.wire import encode

LENGTHS = (32, 128, 512, 1024)
#: From this length on a peer's page of all layers takes gigabytes to build.
ONE_LAYER_FROM = 512
TARGETS = {512: Target("at most 1/40 of CircuitsVis", lambda row: row.ratio >= 40)}


def run() -> list[Row]:
    """Ours is the encoded result, header included; a peer's is its HTML."""
    model = gpt2_small()
    rows = []
    for n in LENGTHS:
        ids = token_ids(n)
        ours = _size(hs.AttentionPatterns(model, ids).run())
        few = n >= ONE_LAYER_FROM
        weights = patterns(model, ids, 1 if few else LAYERS)
        note = f"from one layer, times {LAYERS}" if few else ""
        for peer, html in (("CircuitsVis", circuitsvis_html), ("BertViz", bertviz_html)):
            theirs = _scaled(html, weights) if few else len(html(weights).encode())
            target = TARGETS.get(n) if peer == "CircuitsVis" else None
            rows.append(Row(f"payload, {n} tokens", ours, "B", peer, theirs, note, target))
    return rows


def _size(result: Any) -> int:
    payload = encode(result)
    return len(json.dumps(payload["header"]).encode()) + sum(map(len, payload["buffers"]))


def _scaled(html: Callable[[Any], str], one_layer: Any) -> int:
    """Bytes of a page of all layers: its script once, the numbers of one layer for each."""
    script = len(html(one_layer[:, :, :1, :1]).encode())
    return script + LAYERS * (len(html(one_layer).encode()) - script)
