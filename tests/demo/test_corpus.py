"""What is held out stays out of the training text; the facts of the world are consistent."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

from headscope import demo
from headscope.demo import corpus
from headscope.demo.language import DRAW, held_out_cases, held_out_cities
from headscope.demo.world import state_of, states


@pytest.fixture(scope="module")
def text() -> str:
    return "\n".join(islice(corpus.sentences(np.random.default_rng(11)), 40_000))


@pytest.mark.parametrize("task", DRAW)
def test_no_held_out_case_is_in_the_training_text(text: str, task: str) -> None:
    cases = list(islice(held_out_cases(task, np.random.default_rng(7)), 250))
    lines = set(text.splitlines())
    assert cases
    assert not [case.text for case in cases if case.text in lines]
    if task != "successor":  # a longer series may begin like a held-out one
        starts = {line[: line.rfind(" ", 0, end)] for line in lines for end in range(8, len(line))}
        assert not [case.prompt for case in cases if case.prompt in starts]


def test_held_out_cities_are_in_no_two_hop_sentence(text: str) -> None:
    two_hop = [
        line
        for line in text.splitlines()
        if "containing" in line and not line.startswith("The state containing")
    ]
    assert len(two_hop) > 5000
    assert not [line for line in two_hop for city in held_out_cities() if f" {city}" in line]


def test_shown_prompts_are_held_out(text: str) -> None:
    begun = "\n" + text
    for task, pairs in demo.prompts.items():
        assert len({pair.name for pair in pairs}) == len(pairs)
        for pair in pairs:
            assert pair.task == task
            end = pair.answer + "." if task == "successor" else ""
            assert f"\n{pair.clean}{end}" not in begun
    assert demo.prompts["two_hop"][0].name == "Dallas"


def test_the_world_names_everything_once() -> None:
    names = [place for state in states() for place in (state.name, state.capital, *state.cities)]
    assert len(states()) == 50
    assert len(state_of()) == 250
    assert len(set(names)) == len(names)


def test_prompts_need_no_torch() -> None:
    code = "import sys, headscope.demo as d; d.prompts['ioi']; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
