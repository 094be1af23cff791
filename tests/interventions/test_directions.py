"""Arithmetic of directions: as data, as typed, and as vectors of a model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import headscope as hs
from headscope.interventions import Sum
from headscope.interventions.coding import direction_from_json, to_json
from headscope.model import LiveModel
from headscope.model.intervening.vectors import vectors
from tests.analyses.steps import vector

CAT, DOG, MAT = hs.Token(" cat"), hs.Token(" dog"), hs.Token(" mat")
HAPPY = hs.Means(["the cat sat", "the dog"], ["the mat"])


def stream(bridge: Any, text: str, layer: int, position: int = -1) -> torch.Tensor:
    with torch.no_grad():
        _, cache = bridge.run_with_cache(bridge.to_tokens(text))
    if layer == bridge.cfg.n_layers:
        return cache[f"blocks.{layer - 1}.hook_resid_post"][0, position]
    return cache[f"blocks.{layer}.hook_resid_pre"][0, position]


def test_sums_are_flat_data() -> None:
    made = 2 * (CAT - DOG) + MAT / 4
    assert made == Sum(((2, CAT), (-2, DOG), (0.25, MAT)))
    assert np.float32(2) * CAT == CAT * 2
    assert str(-CAT + 0.5 * DOG - HAPPY) == "− cat + 0.5 × dog − (mean of 2 − mean of 1)"
    mixed = made + HAPPY - hs.Vector([1.0, 2.0]) + hs.TokenDifference(3, 4)
    assert direction_from_json(json.loads(json.dumps(to_json(mixed)))) == mixed
    steered = hs.Interventions().steer(1, mixed, 2.0)
    assert hs.Interventions.from_json(steered.to_json()) == steered
    assert hash(steered) == hash(hs.Interventions(steered.to_list()))


words = st.text("abc' ", min_size=1, max_size=6).map(lambda text: f" {text.strip() or 'a'}")
terms = st.one_of(
    words.filter(lambda word: word[1] != "'").map(hs.Token),
    st.integers(0, 99).map(hs.Token),
    st.text("a +-'", min_size=1, max_size=8).map(lambda text: hs.Means([text])),
)


@given(st.lists(st.tuples(st.sampled_from([1.0, -1.0, 2.5, -0.5]), terms), min_size=1, max_size=4))
def test_what_is_shown_can_be_typed(pairs: Any) -> None:
    made = Sum(tuple(pairs))
    typed = hs.direction(str(made))
    assert (typed if isinstance(typed, Sum) else 1.0 * typed) == made


@pytest.mark.parametrize(
    ("text", "at"),
    [("", "empty"), ("cat +", "character 6"), ("cat ++ dog", "character 6"), ('cat "a"', "5"),
     ("* cat", "character 1"), ('"cat', "character 1"), ("cat - - dog", "character 7")],
)  # fmt: skip
def test_what_is_mistyped_is_refused_with_its_place(text: str, at: str) -> None:
    with pytest.raises(hs.RequestError, match=at) as refused:
        hs.direction(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "make",
    [lambda: CAT + 1, lambda: CAT * "2", lambda: CAT * float("inf"), lambda: CAT * DOG],
)
def test_there_is_no_other_arithmetic(make: Any) -> None:
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sum(()), "pairs"),
        (lambda: Sum(((1, " cat"),)), "pairs"),
        (lambda: hs.Token(1.5), "token"),
        (lambda: hs.Token(" cat", contexts=[1]), "contexts"),
        (lambda: direction_from_json({"kind": "sum", "terms": [[1]]}), "pairs"),
        (lambda: direction_from_json({"kind": "sum", "terms": 3}), "pairs"),
    ],
)
def test_nonsense_is_refused(make: Any, says: str) -> None:
    with pytest.raises(hs.RequestError, match=says):
        make()


def test_a_vector_is_the_sum_of_streams_at_its_layer(every_bridge: Any) -> None:
    bridge = every_bridge
    live = LiveModel.of(bridge)
    made = 2 * hs.direction('cat - "the dog sat"') + hs.Token(" mat", ["the mat is on the mat sat"])
    for layer in range(bridge.cfg.n_layers + 1):
        expected = 2 * (stream(bridge, " cat", layer) - stream(bridge, "the dog sat", layer))
        place = len(bridge.to_tokens("the mat is on the mat")[0]) - 1
        expected = expected + stream(bridge, "the mat is on the mat sat", layer, place)
        assert torch.allclose(vector(live, made, layer), expected, atol=1e-5)


def test_arithmetic_of_directions_is_arithmetic_of_vectors(gpt2: Any) -> None:
    live = LiveModel.of(gpt2)
    given_ = hs.Vector(torch.randn(live.d_model))
    parts = (CAT, HAPPY, given_, hs.TokenDifference(" dog", " mat"))
    apart = sum(w * vector(live, part, 2) for w, part in zip((1, -2, 3, 0.5), parts, strict=True))
    together = parts[0] - 2 * parts[1] + 3 * parts[2] + parts[3] / 2
    assert torch.allclose(vector(live, together, 2), apart, atol=1e-5)
    assert not vector(live, CAT - DOG - (CAT - DOG), 2).any()


def test_a_text_is_a_step_and_runs_once_for_all_layers(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveModel.of(gpt2)
    live.open_runs().clear()
    ran: list[Any] = []
    forward = LiveModel.forward
    monkeypatch.setattr(
        LiveModel, "forward", lambda *args, **more: ran.append(args[1]) or forward(*args, **more)
    )
    shares = list(vectors(live, HAPPY - CAT + HAPPY, range(live.n_layers + 1)))
    assert shares == pytest.approx([i / 7 for i in range(1, 5)])  # the other three are at hand
    assert len(ran) == len(set(ran)) == 4


def test_what_is_no_token_of_its_context_is_refused(gpt2: Any) -> None:
    with pytest.raises(hs.RequestError, match="' cat' is no token of 'the dog'"):
        vector(LiveModel.of(gpt2), hs.Token(" cat", ["the dog"]), 0)
    with pytest.raises(hs.PromptError, match="tokens, not one"):
        vector(LiveModel.of(gpt2), hs.direction("catdogmat"), 0)
