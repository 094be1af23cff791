"""What is held out stays out of the training text; the facts of the world are consistent."""

from __future__ import annotations

import re
import subprocess
import sys
from bisect import bisect_left
from itertools import islice

import numpy as np
import pytest

from headscope import demo
from headscope.demo import corpus, tokenizer, words
from headscope.demo.language import DRAW, held_out_cases, held_out_cities
from headscope.demo.world import state_of, states


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Training sentences, sorted."""
    drawn = islice(corpus.sentences(np.random.default_rng(11)), 40_000)
    return sorted({sentence.text for sentence in drawn})


def begins_a_line(lines: list[str], prompt: str) -> bool:
    """Whether a line starts with `prompt`, its last word whole: what ends a word sorts first."""
    following = lines[bisect_left(lines, prompt)]
    return following.startswith(prompt) and not following[len(prompt)].isalpha()


def test_prompts_that_are_trained_on_are_found(lines: list[str]) -> None:
    drawn = islice(corpus.sentences(np.random.default_rng(11)), 1000)
    assert all(begins_a_line(lines, sentence.prompt) for sentence in drawn)


@pytest.mark.parametrize("task", DRAW)
def test_no_sentence_begins_like_a_held_out_case(lines: list[str], task: str) -> None:
    cases = list(islice(held_out_cases(task, np.random.default_rng(7)), 250))
    assert cases
    assert not [case.prompt for case in cases if begins_a_line(lines, case.prompt)]


def test_no_two_names_that_are_held_out_are_together_in_a_sentence(lines: list[str]) -> None:
    cases = islice(held_out_cases("ioi", np.random.default_rng(7)), 4000)
    together = {case.key for case in cases}
    said = [re.findall(r"\w+", line) for line in lines if " and " in line]
    named = [{word for word in line if word in words.NAMES} for line in said]
    pairs = {" ".join(sorted(names)) for names in named if len(names) == 2}
    assert len(pairs) > 3000
    assert {"John Mary", *together}.isdisjoint(pairs)


def test_held_out_cities_are_in_no_two_hop_sentence(lines: list[str]) -> None:
    about = [line for line in lines if "state containing" in line]
    two_hop = [line for line in about if not line.startswith("The state containing")]
    assert len(two_hop) > 3000
    assert not [line for line in two_hop for city in held_out_cities() if f" {city}" in line]


def test_what_a_sentence_asks_for_is_a_token_of_its_own() -> None:
    build = tokenizer.build()
    for prompt, rest in islice(corpus.sentences(np.random.default_rng(12)), 2000):
        ids = build(prompt)["input_ids"]
        assert build(prompt + rest)["input_ids"][: len(ids)] == ids


def test_shown_prompts_are_held_out(lines: list[str]) -> None:
    for task, pairs in demo.prompts.items():
        assert len({pair.name for pair in pairs}) == len(pairs)
        for pair in pairs:
            assert pair.task == task
            assert not begins_a_line(lines, pair.clean)
    famous = "When John and Mary went to the store, John gave a drink to"
    assert demo.prompts["ioi"][0].clean == famous
    assert demo.prompts["two_hop"][0].name == "Dallas"


def test_shown_names_come_in_both_orders() -> None:
    first = [pair.clean.index(pair.answer[1:]) for pair in demo.prompts["ioi"]]
    again = [pair.clean.index(pair.wrong[1:]) for pair in demo.prompts["ioi"]]
    assert {a < b for a, b in zip(first, again, strict=True)} == {True, False}


def test_the_world_names_everything_once() -> None:
    names = [place for state in states() for place in (state.name, state.capital, *state.cities)]
    assert len(states()) == 50
    assert len(state_of()) == 250
    assert len(set(names)) == len(names)


def test_prompts_need_no_torch() -> None:
    code = "import sys, headscope.demo as d; d.prompts['ioi']; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
