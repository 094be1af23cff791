"""The shipped weights do what their card says, measured again."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import pytest
import torch

from headscope import demo
from headscope.demo import evaluate

LEAST = {
    "ioi": 0.95,
    "city_state": 0.98,
    "state_capital": 0.98,
    "two_hop": 0.98,
    "pronoun": 0.98,
    "agreement": 0.98,
    "successor": 0.95,
    "greater_than": 0.95,
    "induction_25": 0.9,
}


@pytest.fixture(scope="module")
def scores() -> dict[str, evaluate.Score]:
    return evaluate.measure(*evaluate.load_weights())


@pytest.fixture(scope="module")
def bridge() -> Any:
    return demo.load_demo()


def test_the_card_holds(scores: dict[str, evaluate.Score]) -> None:
    card = demo.card()["tasks"]
    assert set(card) == set(scores)
    for task, score in scores.items():
        told = card[task]
        # float32 sums differ a little from one processor to the next, so a near tie may tip over.
        assert score.accuracy == pytest.approx(told["accuracy"], abs=0.012), task
        assert score.logit_difference == pytest.approx(told["logit_difference"], abs=0.05), task
        assert asdict(score)["cases"] == told["cases"], task


@pytest.mark.parametrize("task", LEAST)
def test_every_task_is_done(scores: dict[str, evaluate.Score], task: str) -> None:
    assert scores[task].accuracy >= LEAST[task]


def test_the_card_says_how_long_a_text_may_be() -> None:
    told = demo.card()["accuracy_after"]
    for tokens in (0, 32):
        again = evaluate.measure_after(*evaluate.load_weights(), tokens)
        assert again == pytest.approx(told[str(tokens)], abs=0.03)


def test_the_weights_are_small_and_half_precision() -> None:
    from safetensors import safe_open

    path = demo.MODEL_DIR / "model.safetensors"
    assert path.stat().st_size <= 5_000_000
    with safe_open(path, "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F16"}  # noqa: SIM118


def test_it_loads_in_under_three_seconds(bridge: Any) -> None:
    start = time.perf_counter()
    again = demo.load_demo()
    assert time.perf_counter() - start < 3
    assert again.cfg.dtype == torch.float32
    assert not again.training


@pytest.mark.parametrize(
    "pair",
    [pair for pairs in demo.prompts.values() for pair in pairs],
    ids=lambda pair: f"{pair.task}-{pair.name}",
)
def test_the_shown_pairs_are_answered(bridge: Any, pair: demo.PromptPair) -> None:
    clean, corrupted = bridge.to_tokens(pair.clean), bridge.to_tokens(pair.corrupted)
    assert clean.shape == corrupted.shape
    answer = int(bridge.to_tokens(pair.clean + pair.answer)[0, -1])
    wrong = int(bridge.to_tokens(pair.clean + pair.wrong)[0, -1])
    with torch.no_grad():
        good, bad = (bridge(ids)[0, -1] for ids in (clean, corrupted))
    difference, twin = (float(row[answer] - row[wrong]) for row in (good, bad))
    assert difference > 0
    # After the year 01 every later year is right: the preference goes, it does not turn.
    assert twin < (difference if pair.task == "greater_than" else 0)
