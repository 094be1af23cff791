"""Answers as they are typed, and patches that are kept while others are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import headscope as hs
from headscope.analyses.experiments import _answers
from headscope.model import LiveModel

CLEAN, CORRUPTED = "the cat sat on the", "the dog sat on the"


@pytest.fixture
def widget(gpt2: Any) -> Iterator[hs.ActivationPatching]:
    made = hs.ActivationPatching(gpt2, CLEAN, CORRUPTED, answer=" mat", wrong=" dog")
    made.run()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("prompt", "typed", "meant"),
    [
        (CLEAN, "cat mat", " cat mat"),
        (CLEAN, " cat mat", " cat mat"),
        (CLEAN, "?! cat", "?! cat"),
        (f"{CLEAN} ", "cat mat", "cat mat"),
    ],
)
def test_a_word_is_found_without_the_space_before_it(
    gpt2: Any, prompt: str, typed: str, meant: str
) -> None:
    live = LiveModel.of(gpt2)
    assert _answers(live, typed, live.tokenize(prompt)) == live.encode(meant)


def test_beside_a_pinned_patch_the_two_prompts_keep_their_own_values(
    widget: hs.ActivationPatching,
) -> None:
    pinned, other = (1, 2), (0, 5)
    alone, before = widget.outcome(*pinned), widget.outcome(*other)
    assert set(alone.metric) == {"clean", "corrupted", "patched"}
    widget.pin(pinned)
    widget.run()
    found = widget.outcome(*other)
    for name in ("clean", "corrupted"):
        assert found.metric[name] == pytest.approx(before.metric[name], abs=1e-5)
    assert found.metric["pinned"] == pytest.approx(alone.metric["patched"], abs=1e-5)
    shares = {token.token_id: token for token in before.tokens}
    both = [token for token in found.tokens if token.token_id in shares]
    assert both
    for token in both:
        known = shares[token.token_id]
        assert (token.clean, token.corrupted) == pytest.approx((known.clean, known.corrupted))
    change = found.metric["patched"] - found.metric["pinned"]
    scale = found.metric["clean"] - found.metric["corrupted"]
    assert found.exact == pytest.approx(change / scale, abs=1e-4)


@pytest.mark.parametrize(
    "change", [{"prompt": CORRUPTED, "corrupted": CLEAN}, {"corrupted": "the mat sat on the"},
               {"direction": "noising"}], ids=lambda change: "+".join(change),
)  # fmt: skip
def test_pins_end_with_the_prompts_that_they_were_set_on(
    widget: hs.ActivationPatching, change: dict[str, str]
) -> None:
    widget.pin((1, 2))
    assert len(widget.pinned) == 1
    assert "L1" in str(widget.run().provenance.parameters["pinned"])
    for name, value in change.items():
        setattr(widget, name, value)
    assert widget.pinned == ()
    assert widget.result.provenance.parameters["pinned"] == "[]"
