"""Interventions are data: they survive JSON, edits give new lists, and nonsense is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import headscope as hs
from tests.golden import interventions as written_for_page

EVERY = (
    hs.Interventions()
    .zero("L2H1", positions=[0, -1])
    .mean("MLP1", ["the cat", "a dog"])
    .patch("L1.resid_pre", "the dog sat")
    .patch("L1H2.v", [3, 4, 5])
    .scale("L0", 0.5)
    .knock_out("L1H0", dest=-1, src=0)
    .freeze_pattern("L1", "the cat sat")
    .clamp("L1N3", 2.0)
    .clamp("L1F3", 2.0, positions=2)
    .steer(1, hs.Means(["good"], ["bad"]), 4.0)
    .steer(0, hs.TokenDifference(" cat", 7))
    .steer(2, hs.Vector([1, 2.5], name="mine"), positions=-1)
    .skip([0, 2], part="mlp")
    .skip(1)
    .swap(0, 1)
    .repeat(2)
)


def test_json_gives_the_same_back() -> None:
    assert hs.Interventions.from_json(EVERY.to_json()) == EVERY
    assert hs.Interventions(json.loads(json.dumps(EVERY.to_list()))) == EVERY
    assert hash(hs.Interventions(EVERY.to_list())) == hash(EVERY)


def test_edits_give_new_lists() -> None:
    three = hs.Interventions().zero("L0H0").zero("L1H1").zero("L2H2")
    names = [item.component for item in three.moved(0, 2)]
    assert names == ["L1H1", "L2H2", "L0H0"]
    assert [item.component for item in three.without(-1)] == ["L0H0", "L1H1"]
    off = three.changed(1, on=False)
    assert [item.component for item in off.active] == ["L0H0", "L2H2"]
    assert "(off)" in repr(off)
    assert len(three) == len(three.active) == 3
    assert three[:1] + three[1:] == three


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: hs.Interventions().zero("logits"), "no component"),
        (lambda: hs.Interventions().zero("H3"), "no component"),
        (lambda: hs.Interventions().scale("L0H0", float("nan")), "factor"),
        (lambda: hs.Interventions().scale("L0H0", "2"), "factor"),
        (lambda: hs.Interventions().zero("L0H0", positions="all"), "positions"),
        (lambda: hs.Interventions().zero("L0H0", positions=[]), "positions"),
        (lambda: hs.Interventions().knock_out("MLP1", 0, 1), "pattern"),
        (lambda: hs.Interventions().knock_out("L0H0", 1.5, 1), "dest"),
        (lambda: hs.Interventions().clamp("MLP1", 1), "unit"),
        (lambda: hs.Interventions().mean("L0H0", []), "prompts"),
        (lambda: hs.Interventions().patch("L0H0", ""), "prompt"),
        (lambda: hs.Interventions().steer(0, " cat"), "direction"),
        (lambda: hs.Interventions().steer(-1, hs.Vector([1])), "layer"),
        (lambda: hs.Interventions().skip([], "attn"), "layers"),
        (lambda: hs.Interventions().skip(0, "head"), "part"),
        (lambda: hs.Interventions().repeat(0, 1), "times"),
        (lambda: hs.Vector([[1.0]]), "finite"),
        (lambda: hs.Means([]), "toward"),
        (lambda: hs.TokenDifference(None, 3), "token"),
        (lambda: hs.Interventions([{"kind": "zap"}]), "zap"),
        (lambda: hs.Interventions([{"kind": []}]), "kind"),
        (lambda: hs.Interventions().zero(), "component"),
        (lambda: hs.Interventions([{"kind": "zero"}]), "component"),
        (lambda: hs.Interventions([{"kind": "zero", "component": "L0", "x": 1}]), "'x'"),
        (lambda: hs.Interventions([{"kind": "zero", "component": "L0", "on": 1}]), "on"),
        (lambda: hs.Interventions("L0H0"), "list"),
        (lambda: hs.Interventions.from_json("{"), "JSON"),
        (lambda: EVERY.changed(0, factor=2), "factor"),
        (lambda: EVERY.without(99), "99"),
    ],
)
def test_nonsense_is_refused_in_one_line(make, says) -> None:
    with pytest.raises(hs.RequestError, match=says) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_numbers_of_numpy_are_numbers() -> None:
    made = hs.Interventions().scale("L0", np.float32(0.5), np.array([1, -1])).skip(np.int64(2))
    assert made == hs.Interventions().scale("L0", 0.5, [1, -1]).skip(2)
    assert hs.Interventions.from_json(made.to_json()) == made


def test_data_needs_no_torch() -> None:
    code = (
        "import sys, headscope as hs; hs.Interventions().zero('L0').steer(0, hs.Vector([1])); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_is_tested_with_the_words_of_today() -> None:
    assert json.loads(written_for_page.PATH.read_text()) == written_for_page.written()
