"""Plotly figures."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from headscope.errors import ResultError
from headscope.export.plotly import figure
from headscope.results import Axis, Measure, Scale
from tests.golden import build


def test_a_grid_figure_has_its_numbers_labels_and_scale() -> None:
    grid = build.grid()
    shown = grid.to_plotly(measure="effect")
    (heatmap,) = shown.data
    np.testing.assert_array_equal(heatmap.z, grid["effect"])
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-3.0, 0.0, 3.0)
    lowest, highest = heatmap.colorscale[0][1], heatmap.colorscale[-1][1]
    assert (lowest, highest) == ("rgb(103,0,31)", "rgb(5,48,97)"), "red below 0, blue above"
    assert shown.layout.title.text == "Golden grid"
    assert shown.layout.xaxis.title.text == "position"
    assert shown.layout.yaxis.title.text == "read_out"
    assert list(shown.layout.xaxis.tickvals) == list(range(7))
    assert heatmap.colorbar.title.text == "Effect (logits)"


def test_repeated_tokens_keep_their_columns_and_glyphs() -> None:
    ticks = build.grid().to_plotly().layout.xaxis.ticktext
    assert ticks.count("·the") == 2
    assert ticks[2] == "⏎"
    assert ticks[6] == "·"
    assert "<" not in "".join(ticks)
    assert "&lt;img" in ticks[3]


def test_hover_shows_labels_value_and_top_tokens() -> None:
    grid = build.grid()
    (heatmap,) = grid.to_plotly().data
    row, column, top, value = heatmap.customdata[1][4]
    assert (row, column, value) == ("L1 resid_post", "·the", grid.values[1, 4])
    assert top.count("<br>") == 2
    assert "Probability %{customdata[3]:.4g}" in heatmap.hovertemplate
    assert heatmap.hoverongaps is False


def test_cells_that_do_not_apply_are_gaps() -> None:
    (heatmap,) = build.grid().to_plotly().data
    assert np.isnan(heatmap.z[0][2])
    (heatmap,) = build.patterns().to_plotly().data
    assert np.isnan(heatmap.z[0][1:]).all(), "masked is not zero"


def test_ranks_are_drawn_on_their_logarithm_and_hovered_as_they_are() -> None:
    grid = build.grid()
    ranks = np.arange(21, dtype=np.float32).reshape(3, 7) * 100
    measure = Measure(
        "rank", "Rank", "rank", "", ranks, Scale.sequential(ranks, reverse=True, log=True)
    )
    shown = dataclasses.replace(grid, measures=(measure,)).to_plotly()
    (heatmap,) = shown.data
    np.testing.assert_allclose(heatmap.z, np.log1p(ranks))
    assert heatmap.customdata[2][6][3] == 2000
    assert heatmap.reversescale is True
    assert heatmap.zmax == pytest.approx(np.log1p(2000))
    assert heatmap.colorbar.ticktext == ("0", "1", "10", "100", "1000")
    np.testing.assert_allclose(heatmap.colorbar.tickvals, np.log1p([0, 1, 10, 100, 1000]))


def test_patterns_figure_is_one_head_by_name() -> None:
    patterns = build.patterns()
    shown = patterns.to_plotly(layer=1, head=0)
    (heatmap,) = shown.data
    visible = np.tri(7, dtype=bool)
    np.testing.assert_array_equal(np.asarray(heatmap.z)[visible], patterns[1, 0][visible])
    assert shown.layout.title.text == "Golden patterns, L1H0"
    assert (shown.layout.yaxis.title.text, shown.layout.xaxis.title.text) == ("dest", "src")
    assert (heatmap.zmin, heatmap.zmax) == (0.0, 1.0)


def test_choosers_pick_a_slice() -> None:
    values = np.arange(42, dtype=np.float32).reshape(2, 3, 7)
    grid = dataclasses.replace(
        build.grid(),
        axes=(Axis("prompt", ("clean", "corrupted")), *build.grid().axes),
        measures=(Measure("m", "M", "", "", values, Scale.diverging(values)),),
        top=None,
        states=None,
    )
    shown = figure(grid, prompt=1)
    np.testing.assert_array_equal(shown.data[0].z, values[1])
    assert shown.layout.title.text == "Golden grid, prompt corrupted"


@pytest.mark.parametrize(
    ("kind", "choices"),
    [
        ("grid", {"measure": "rank"}),
        ("grid", {"layer": 1}),
        ("patterns", {"layer": 0}),
        ("patterns", {"measure": "attention"}),
    ],
)
def test_figures_of_what_is_not_there_are_refused(kind: str, choices: dict[str, Any]) -> None:
    with pytest.raises(ResultError) as refusal:
        build.RESULTS[kind]().to_plotly(**choices)
    assert refusal.value.hint
