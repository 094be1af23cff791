"""Results refuse what is malformed and say what they hold."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from headscope.errors import ResultError
from headscope.results import Axis, Measure, Scale
from tests.golden import build


@pytest.mark.parametrize(
    "arguments",
    [
        ("sequential", 1.0, 1.0),
        ("sequential", 0.0, float("nan")),
        ("sequential", float("-inf"), 0.0),
        ("diverging", -1.0, 2.0),
    ],
)
def test_impossible_scales_are_refused(arguments: Any) -> None:
    with pytest.raises(ResultError):
        Scale(*arguments)


def test_scales_fit_the_finite_values() -> None:
    values = np.array([-0.5, np.nan, 2.0, np.inf], np.float32)
    assert Scale.diverging(values) == Scale("diverging", -2.0, 2.0)
    assert Scale.sequential(values) == Scale("sequential", -0.5, 2.0)
    assert Scale.sequential(np.full(3, np.nan)) == Scale("sequential", 0.0, 1.0)
    assert Scale.diverging(np.zeros(3)) == Scale("diverging", -1.0, 1.0)


def test_an_axis_needs_an_index_per_label() -> None:
    with pytest.raises(ResultError, match="2 labels and 1 indices"):
        Axis("layer", ("a", "b"), indices=(0,))


@pytest.mark.parametrize(
    "change",
    [
        {"axes": build.grid().axes[:1]},
        {"measures": ()},
        {"axes": build.grid().axes[::-1]},
        {"top": dataclasses.replace(build.grid().top, ids=np.zeros((3, 7, 2), np.int64))},
        {"top": dataclasses.replace(build.grid().top, values=np.zeros((3, 7, 3), np.float32))},
    ],
)
def test_malformed_grids_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ResultError):
        dataclasses.replace(build.grid(), **change)


@pytest.mark.parametrize(
    "change",
    [
        {"n_layers": 3},
        {"overview": build.patterns().overview.astype("float32")},
        {"overview_max": np.ones((2, 2), np.float32)},
        {"value_norm": np.ones((2, 2, 6), np.float32)},
        {"output_norm": np.ones((2, 2, 7), np.float64)},
        {"scores": (dataclasses.replace(build.patterns().scores[0], values=np.ones(4, "f4")),)},
        {"heads": (dataclasses.replace(build.patterns().heads[0], weights=np.ones((7, 6), "f4")),)},
    ],
)
def test_malformed_patterns_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ResultError):
        dataclasses.replace(build.patterns(), **change)


def test_a_grid_is_read_by_measure() -> None:
    grid = build.grid()
    assert grid.values is grid["probability"]
    with pytest.raises(ResultError, match="'probability', 'effect'"):
        grid["rank"]


def test_patterns_are_read_by_head_and_score() -> None:
    patterns = build.patterns()
    np.testing.assert_allclose(patterns[1, 0].sum(-1), 1, atol=1e-6)
    with pytest.raises(ResultError, match=r"widget.head\(0, 1\)"):
        patterns[0, 1]
    assert patterns.score("induction")[1, 1] == 1.0
    with pytest.raises(ResultError, match="'previous_token', 'induction'"):
        patterns.score("entropy")


def test_grid_table_has_a_row_per_cell() -> None:
    grid = build.grid()
    table = grid.to_dataframe()
    assert len(table) == 21
    cell = table[(table.read_out == 1) & (table.position == 3)].iloc[0]
    assert cell.read_out_label == "L1 resid_post"
    assert cell.position_label == build.TOKENS[3]
    assert cell.effect == grid["effect"][1, 3]
    assert cell.top_token == grid.top.texts[str(grid.top.ids[1, 3, 0])]
    assert table.probability.isna().sum() == 1


def test_patterns_table_leaves_masked_pairs_out() -> None:
    patterns = build.patterns()
    table = patterns.to_dataframe()
    assert len(table) == 7 * 8 // 2
    assert (table.src <= table.dest).all()
    row = table[(table.dest == 4) & (table.src == 1)].iloc[0]
    assert row.attention == patterns[1, 0][4, 1]
    assert (row.dest_token, row.src_token) == (" the", " the")
    full = dataclasses.replace(patterns, causal=False).to_dataframe()
    assert len(full) == 49
    assert dataclasses.replace(patterns, heads=()).to_dataframe().empty


def test_measures_over_three_axes() -> None:
    values = np.zeros((2, 3, 7), np.float32)
    grid = dataclasses.replace(
        build.grid(),
        axes=(Axis("prompt", ("clean", "corrupted")), *build.grid().axes),
        measures=(Measure("m", "M", "", "", values, Scale.diverging(values)),),
        top=None,
        states=None,
    )
    assert grid.shape == (2, 3, 7)
    assert list(grid.to_dataframe().columns[:2]) == ["prompt", "prompt_label"]


def test_a_result_says_in_a_line_what_it_is() -> None:
    from tests.golden.build import RESULTS

    for make in RESULTS.values():
        result = make()
        assert len(repr(result)) < 200
        assert repr(result).startswith(f"{type(result).__name__}({result.title!r}, ")
