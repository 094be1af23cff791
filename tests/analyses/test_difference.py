"""Differences: of a result and itself nothing, and one plus difference is other."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.errors import ResultError
from headscope.results import Grid, Patterns
from headscope.results.difference import on_one_scale
from headscope.wire.files import load_result
from tests.analyses.test_rerun import CASES, IDS, run
from tests.models import bridge, hf_gpt2

COMPARABLE = [case for case in CASES if case[0] not in ("attribution_graph", "circuit_discovery")]
SHORT = IDS[:3] + IDS[4:]
CHANGED_LAYER = 1


@pytest.fixture(scope="module")
def tuned(tokenizer: Any) -> Any:
    """The shared GPT-2 with one weight of one layer's MLP changed."""
    model = bridge(hf_gpt2(), tokenizer, name="tuned")
    layer = model.original_model.transformer.h[CHANGED_LAYER]
    with torch.no_grad():
        layer.mlp.c_proj.original_component.weight[3, 5] += 0.5
    return model


def numbers(result: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Every array of numbers of a result, by name."""
    if isinstance(result, Grid):
        return {measure.name: measure.values for measure in result.measures}
    found = {score.name: score.values for score in result.scores}
    found |= {"value_norm": result.value_norm, "output_norm": result.output_norm}
    return found | {f"{held.layer}.{held.head}": held.weights for held in result.heads}


@pytest.mark.parametrize(("name", "fields"), COMPARABLE)
def test_one_plus_difference_is_other(
    name: str, fields: dict[str, Any], gpt2: Any, tuned: Any
) -> None:
    one, other = run(name, fields, gpt2), run(name, fields, tuned)
    nothing, less = hs.difference(one, one), hs.difference(one, other)
    mine, its = numbers(one), numbers(other)
    assert list(numbers(less)) == list(mine)
    for key, found in numbers(less).items():
        np.testing.assert_allclose(mine[key] + found, its[key], rtol=1e-5, atol=1e-6)
        known = np.isfinite(mine[key])
        np.testing.assert_array_equal(numbers(nothing)[key][known], 0.0)
    changed = any(np.nanmax(np.abs(found), initial=0) > 0 for found in numbers(less).values())
    assert changed or name == "nearest_tokens"  # the embeddings alone may decide those
    if isinstance(one, Grid) and one.states is not None:
        np.testing.assert_array_equal(nothing.states, one.states)
    assert less.provenance.sources == (one.provenance, other.provenance)
    assert "has model tiny-gpt2; the other has tuned" in " ".join(less.provenance.notes)
    for measure in getattr(less, "measures", ()):
        assert measure.scale.kind == "diverging"
        assert measure.definition.startswith("Difference. ")
    told = "Shown is tuned, less tiny-gpt2: positive where there is more in the former."
    assert less.provenance.sign == told


def test_a_difference_is_nonzero_only_from_the_changed_layer_on(gpt2: Any, tuned: Any) -> None:
    fields = {"prompt": IDS, "read_out": "all"}
    less = hs.difference(run("logit_lens", fields, gpt2), run("logit_lens", fields, tuned))
    first = less.axes[0].labels.index(f"L{CHANGED_LAYER} post")
    for measure in less.measures:
        if measure.name not in ("rank", "kl"):  # these compare with the final output
            np.testing.assert_array_equal(measure.values[:first], 0.0)
            assert np.abs(measure.values[first:]).min() > 0
    heads = hs.difference(run("attention", {"prompt": IDS}, gpt2),
                          run("attention", {"prompt": IDS}, tuned))  # fmt: skip
    largest = [np.abs(held.weights).max() > 0 for held in heads.heads]
    assert largest == [held.layer > CHANGED_LAYER for held in heads.heads]
    assert (heads.overview[:, : CHANGED_LAYER + 1] == 127).all()


def test_the_identity_is_that_of_the_differences(gpt2: Any, tuned: Any) -> None:
    fields = {"prompt": IDS, "answer": 281, "wrong": 282}
    one, other = (run("logit_attribution", fields, model) for model in (gpt2, tuned))
    identity = hs.difference(one, other).identity
    assert identity is not None
    assert identity.target.value == pytest.approx(
        other.identity.target.value - one.identity.target.value
    )
    assert sum(term.value for term in identity.terms) == pytest.approx(
        identity.target.value, abs=1e-5
    )
    assert identity.residue < 1e-4


def test_prompts_of_different_length_meet_by_their_tokens(gpt2: Any) -> None:
    met = [0, 1, 2, -1, 3, 4, 5]
    one, other = (run("logit_lens", {"prompt": ids}, gpt2) for ids in (IDS, SHORT))
    less = hs.difference(one, other)
    assert less.alignment.source.tolist() == met
    assert [prompt.token_ids for prompt in less.provenance.prompts] == [IDS, SHORT]
    for mine, its, found in zip(one.measures, other.measures, less.measures, strict=True):
        for at, source in enumerate(met):
            expected = its.values[:, source] - mine.values[:, at] if source >= 0 else np.nan
            np.testing.assert_array_equal(found.values[:, at], expected)
    first, second = (run("attention", {"prompt": ids}, gpt2) for ids in (IDS, SHORT))
    heads = hs.difference(first, second)
    apart = np.isnan(heads[1, 0])
    expected_apart = np.zeros((7, 7), bool)
    expected_apart[3] = expected_apart[:, 3] = True
    np.testing.assert_array_equal(apart, expected_apart)
    both = [at for at in range(7) if at != 3]
    np.testing.assert_array_equal(
        heads[1, 0][np.ix_(both, both)], second[1, 0] - first[1, 0][np.ix_(both, both)]
    )
    np.testing.assert_array_equal(np.isnan(heads.overview_values()[0, 1, 0]), expected_apart)


def test_thumbnails_show_what_is_furthest_from_0_in_each_block(gpt2: Any) -> None:
    ids = tuple(264 + i % 11 for i in range(50))
    one, other = (run("attention", {"prompt": given}, gpt2) for given in (ids, ids[::-1]))
    less = hs.difference(one, other)
    side, block = less.overview.shape[-1], -(-50 // less.overview.shape[-1])
    assert block > 1
    shown = less.overview_values()
    for held in less.heads:
        at = held.layer, held.head
        each = np.stack([held.weights, *held.weighted])
        for weighting, norms in enumerate(["", "value_norm", "output_norm"]):
            factors = [getattr(result, norms)[at] if norms else 1.0 for result in (one, other)]
            matrix = other[at] * factors[1] - one[at] * factors[0]
            np.testing.assert_allclose(each[weighting], matrix, atol=1e-6)
            within = 0.51 * less.overview_max[(weighting, *at)] / 127 + 1e-6
            for row, column in np.ndindex(side, side):
                starts = row * block, column * block
                cells = matrix[tuple(slice(start, start + block) for start in starts)]
                tile = shown[(weighting, *at, row, column)]
                assert abs(abs(tile) - np.abs(cells).max()) <= within
                assert np.abs(cells - tile).min() <= within


@pytest.mark.parametrize("name", ["attention", "logit_lens", "logit_attribution"])
def test_three_results_on_one_scale(name: str, gpt2: Any, tuned: Any) -> None:
    one, other = (run(name, {"prompt": IDS}, model) for model in (gpt2, tuned))
    less = hs.difference(one, other)
    shared = on_one_scale(one, other, less)
    for before, after in zip((one, other, less), shared, strict=True):
        for key, found in numbers(before).items():
            np.testing.assert_array_equal(found, numbers(after)[key])
    if isinstance(one, Patterns):
        largest = np.max([each.overview_max for each in (one, other, less)], axis=0)
        for before, after in zip((one, other, less), shared, strict=True):
            np.testing.assert_array_equal(after.overview_max, largest)
            steps = (before.overview_max + largest)[..., None, None] / (
                254 if after.signed else 510
            )
            off = np.abs(after.overview_values() - before.overview_values())
            assert (off <= steps * 1.01 + 1e-7).all()
        return
    for left, right, both in zip(*(each.measures for each in shared), strict=True):
        assert left.scale == right.scale
        assert both.scale.kind == "diverging"
        assert both.scale.high >= max(abs(left.scale.low), left.scale.high)
        assert np.nanmax(np.abs(both.values)) <= both.scale.high


def test_differences_are_saved_compared_and_not_run_again(
    gpt2: Any, tuned: Any, tmp_path: Any
) -> None:
    for name in ("attention", "logit_lens"):
        less = hs.difference(*(run(name, {"prompt": IDS}, model) for model in (gpt2, tuned)))
        read = load_result(less.save(tmp_path / name))
        assert read.provenance == less.provenance
        for key, found in numbers(less).items():
            np.testing.assert_array_equal(numbers(read)[key], found)
        (drawn,) = read.to_plotly().data
        assert drawn.zmin == -drawn.zmax
        twice = hs.difference(less, less)
        assert all((found == 0).all() for found in numbers(twice).values())
        with pytest.raises(ResultError, match=r"Run each of result.provenance.sources again"):
            hs.rerun(less, gpt2)


def test_what_cannot_be_compared_is_refused_in_one_line(gpt2: Any, tokenizer: Any) -> None:
    lens, heads = run("logit_lens", {"prompt": IDS}, gpt2), run("attention", {"prompt": IDS}, gpt2)
    deeper = bridge(hf_gpt2(n_layer=4), tokenizer, name="deeper")
    effects = run("logit_attribution", {"prompt": IDS}, gpt2)
    fewer = dataclasses.replace(lens, measures=lens.measures[1:])
    refused = [
        (lens, heads, r"Grid and Patterns cannot be compared. Pass two Grids, or two Patterns"),
        (lens, None, r"Grid and NoneType cannot be compared"),
        (lens, effects, r"One is of 'logit_lens', the other of 'logit_attribution'"),
        (lens, fewer, r"One has 5 measures, the other 4. Compare results of the same measures"),
        (lens, run("logit_lens", {"prompt": IDS}, deeper), r"One has 4 read_outs, the other 5"),
        (heads, run("attention", {"prompt": IDS}, deeper), r"One has 3 layers, the other 4"),
        (lens, run("logit_lens", {"prompt": (9, 10)}, gpt2), r"no token in common"),
    ]
    for one, other, words in refused:
        with pytest.raises(ResultError, match=words) as said:
            hs.difference(one, other)
        assert "\n" not in str(said.value)
