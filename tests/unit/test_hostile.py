"""Hostile token texts through every export that needs no browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import headscope as hs
from headscope.export.glyphs import in_plotly, visible
from tests.golden import build
from tests.hostile import SHOWN, TEXTS, poisoned

#: What Plotly makes of a label before it draws it: markup, then what is escaped, then mathematics.
TAG, ENTITY, FILLED = re.compile(r"</?\w[^>]*>"), re.compile(r"&#?\w+;"), re.compile(r"%\{")
OURS = {"<br>"}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_shown_as_in_the_page(name: str) -> None:
    assert visible(TEXTS[name]) == SHOWN[name]


@pytest.fixture(params=["grid", "patterns", "circuit_graph"])
def result(request: pytest.FixtureRequest) -> Any:
    return poisoned(build.RESULTS[request.param](), start=len(request.param))


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts_of(each)]
    return [text for each in value for text in texts_of(each)] if isinstance(value, list) else []


def test_plotly_takes_no_text_for_markup_mathematics_or_a_place_to_fill(result: Any) -> None:
    figure = json.loads(result.to_plotly().to_json())
    for trace in figure["data"]:
        assert "%{customdata" in (template := trace.pop("hovertemplate", "%{customdata")) or (
            template == "%{text}<extra></extra>"
        )
    figure["layout"].pop("template")
    for text in texts_of(figure):
        assert set(TAG.findall(text)) <= OURS, text
        assert not FILLED.search(text), text
        assert text.count("$") == 0, text


def test_a_label_in_plotly_reads_as_elsewhere() -> None:
    codes = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
    for name, text in TEXTS.items():
        drawn = ENTITY.sub(lambda m: codes.get(m[0]) or chr(int(m[0][2:-1])), in_plotly(text))
        assert drawn == SHOWN[name]


def test_files_and_tables_keep_every_text_as_it_is(result: Any, tmp_path: Path) -> None:
    again = hs.load_result(result.save(tmp_path / "result"))
    assert again.provenance == result.provenance
    assert again.title == result.title
    if result.kind != "circuit_graph":
        table = result.to_dataframe()
        labels = result.axes[-1].labels if result.kind == "grid" else result.tokens
        assert set(labels) <= {text for name in table for text in table[name]}
