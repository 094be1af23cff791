"""Steps of selections and interventions, back and forth."""

from __future__ import annotations

from typing import Any

import pytest

import headscope as hs
from headscope.widgets.history import History, Moment


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(changes: Any = (), layer: int | None = None, prompt: str = "") -> Moment:
    return Moment({"layer": layer}, hs.Interventions(changes), prompt)


ZERO = hs.Interventions().zero("L0H1")


def scaled(factor: float) -> hs.Interventions:
    return ZERO.scale("L0H0", factor)


def test_steps_lead_back_and_forth() -> None:
    history = History(at())
    history.record(at(layer=1))
    history.record(at(ZERO, layer=1))
    history.record(at(ZERO, layer=1))  # nothing new
    assert (history.behind, history.ahead) == (2, 0)
    assert history.undo() == at(layer=1)
    assert history.undo() == at()
    assert history.undo() is None
    assert history.redo() == at(layer=1)
    history.record(at(layer=2))
    assert (history.behind, history.ahead) == (2, 0), "what had been undone is gone"
    assert history.redo() is None


@pytest.mark.parametrize(("wait", "steps"), [(0.5, 2), (2.0, 4)])
def test_the_moves_of_a_slider_are_one_step(wait: float, steps: int) -> None:
    clock = Clock()
    history = History(at(ZERO), clock)
    history.record(at(scaled(1.0)))
    for factor in (2.0, 3.0, 4.0):
        clock.now += wait
        history.record(at(scaled(factor)))
    assert history.behind == steps
    before = scaled(1.0) if steps == 2 else scaled(3.0)
    assert history.undo() == at(before)


def test_other_changes_are_steps_of_their_own() -> None:
    clock = Clock()
    history = History(at(scaled(1.0)), clock)
    history.record(at(scaled(2.0)))
    history.record(at(scaled(2.0).changed(1, on=False)))
    history.record(at(scaled(2.0).changed(1, on=True)))
    history.record(at(scaled(2.0).changed(0, component="L1H1")))
    assert history.behind == 4


def test_positions_that_a_new_prompt_lacks_are_no_step() -> None:
    history = History(at(layer=1, prompt="the cat"))
    history.record(at(layer=None, prompt="the"))
    assert history.behind == 0
    history.record(at(layer=2, prompt="the"))
    assert history.undo() == at(layer=None, prompt="the")


def test_what_is_chosen_after_a_new_prompt_is_a_step() -> None:
    history = History(at())
    history.record(at(layer=1))
    history.record(at(layer=2, prompt="the"))
    assert history.undo() == at(layer=1)
