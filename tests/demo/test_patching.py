"""On the embedded model patching finds what knocking attention out finds, by plain hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests import naive
from tests.analyses.by_hand import answer_of, ids_of, patched

from headscope import demo
from headscope.analyses.prompt_pairs import Pair, pairs_of

N_LAYERS, N_HEADS = 4, 6
IOI, TWO_HOP = (pairs_of(demo.prompts[task])[:2] for task in ("ioi", "two_hop"))


@pytest.fixture(scope="module")
def bridge() -> Any:
    return demo.load_demo()


def difference_at(bridge: Any, pair: Pair) -> int:
    """The one position where the two prompts differ."""
    prompts = zip(ids_of(bridge, pair.clean), ids_of(bridge, pair.corrupted), strict=True)
    (found,) = [i for i, (a, b) in enumerate(prompts) if a != b]
    return found


def without_looking(bridge: Any, pair: Pair, heads: Any) -> np.ndarray[Any, Any]:
    """Share of the logit difference that is lost where the last token cannot attend to that one.

    Args:
        bridge: The model.
        pair: Whose clean prompt runs.
        heads: Of each layer, index by index: each of these is knocked out by itself.
    """
    ids, at = ids_of(bridge, pair.clean), difference_at(bridge, pair)
    (answer,), (wrong,) = answer_of(bridge, pair.answer), answer_of(bridge, pair.wrong)

    def difference(*changes: naive.Change) -> float:
        logits = naive.logits(bridge, ids, changes)[-1]
        return float(logits[answer] - logits[wrong])

    whole = difference()
    lost = [
        [difference(naive.Change(naive.hook("pattern", layer), (head, -1, at), torch.tensor(0.0)))
         for head in heads]
        for layer in range(N_LAYERS)
    ]  # fmt: skip
    return 1 - np.array(lost) / whole


@pytest.mark.parametrize("pair", IOI, ids=lambda pair: pair.clean)
def test_the_givers_name_goes_to_the_end_in_the_layer_whose_attention_carries_it(
    bridge: Any, pair: Pair
) -> None:
    effect, at = patched(bridge, pair, site="resid_pre")["effect"], difference_at(bridge, pair)
    lost = without_looking(bridge, pair, [slice(None)])[:, 0]
    layer = int(lost.argmax())
    assert lost[layer] > 0.5
    assert np.delete(lost, layer).max() < 0.1
    # Up to that layer it is at the name, from there on at the end, and nowhere else.
    expected = np.zeros_like(effect)
    expected[: layer + 1, at] = expected[layer + 1 :, -1] = 1
    assert np.abs(effect - expected).max() < 0.1


@pytest.mark.parametrize("pair", TWO_HOP, ids=lambda pair: pair.clean)
def test_most_of_the_city_stays_until_the_layer_that_reads_it_there(
    bridge: Any, pair: Pair
) -> None:
    effect, at = patched(bridge, pair, site="resid_pre")["effect"], difference_at(bridge, pair)
    lost = without_looking(bridge, pair, [slice(None)])[:, 0]
    layer = int(lost.argmax())
    assert layer == N_LAYERS - 1
    assert lost[layer] > 0.5 > np.delete(lost, layer).max()
    assert (effect.argmax(1) == at).all()
    assert (effect[: layer + 1, at] > 0.5).all()
    assert np.delete(effect, [at, effect.shape[1] - 1], 1).max() < 0.1


@pytest.mark.parametrize("pair", [*IOI, *TWO_HOP], ids=lambda pair: pair.clean)
def test_the_head_with_the_largest_effect_is_the_one_that_must_look(
    bridge: Any, pair: Pair
) -> None:
    effect = patched(bridge, pair, site="z")["effect"]
    lost = without_looking(bridge, pair, range(N_HEADS))
    assert effect.shape == lost.shape == (N_LAYERS, N_HEADS)
    assert effect.argmax() == lost.argmax()
    # And at the last token, whose attention it was.
    layer, head = np.unravel_index(effect.argmax(), effect.shape)
    there = patched(bridge, pair, site="z", over="head_position", layer=int(layer))["effect"]
    assert np.unravel_index(there.argmax(), there.shape) == (head, there.shape[1] - 1)
