"""The embedded model's tokenizer: whole words, bytes for the rest, nothing lost."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from headscope import demo
from headscope.demo import corpus, tokenizer, words
from headscope.demo.language import DRAW, held_out_cases
from headscope.demo.world import states

TEXTS = (
    "Zürich 🙂 日本\n\tfoo",
    "When John and Mary went to the store, John gave a drink to",
    "two  spaces and a trailing one ",
    "South Carolina is not South, and San Antonios is not San Antonio",
    "\x00 \u200b é 1732 17 5",
)


@pytest.fixture(scope="module")
def shipped() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(demo.MODEL_DIR)


def test_the_shipped_tokenizer_is_the_one_that_the_code_builds(shipped: Any) -> None:
    assert shipped.get_vocab() == tokenizer.build().get_vocab()


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_decodes_to_itself_after_one_space(shipped: Any, text: str) -> None:
    assert shipped.decode(shipped(text)["input_ids"]) == f" {text}"
    assert shipped(f" {text}")["input_ids"] == shipped(text)["input_ids"]


def test_the_words_of_the_world_are_single_tokens(shipped: Any) -> None:
    known = [*words.NAMES, *(item for series in words.SERIES.values() for item in series)]
    for state in states():
        known += [state.name, state.capital, state.bird, state.region, state.code, *state.cities]
    assert not [word for word in known if len(shipped(word)["input_ids"]) != 1]


def test_the_training_text_needs_bytes_only_for_stops_and_made_up_words(shipped: Any) -> None:
    first_word = 1 + 256
    drawn = islice(corpus.sentences(np.random.default_rng(5)), 3000)
    plain = [sentence.text for sentence in drawn if " wrote " not in sentence.text]
    spelled = {
        shipped.decode([token])
        for ids in shipped(plain)["input_ids"]
        for token in ids
        if token < first_word
    }
    assert spelled == {",", "."}


@pytest.mark.parametrize("task", DRAW)
def test_twins_are_equally_long_and_ask_for_one_token(shipped: Any, task: str) -> None:
    for case in islice(held_out_cases(task, np.random.default_rng(2)), 60):
        clean, twin = shipped([case.prompt, case.corrupted])["input_ids"]
        assert len(clean) == len(twin)
        assert len(shipped(case.prompt + case.answer)["input_ids"]) == len(clean) + 1


def test_the_bridge_puts_one_bos_before_a_text() -> None:
    bridge = demo.load_demo()
    ids = bridge.to_tokens("Dallas is in")
    assert ids[0, 0] == 0
    assert int((ids == 0).sum()) == 1
    assert bridge.to_str_tokens("Dallas is in") == [tokenizer.BOS, " Dallas", " is", " in"]
    assert bridge.to_single_token(" Mary") == bridge.to_single_token("Mary")
