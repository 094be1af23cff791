"""The traits `interventions` and `effect`: from Python, from the page, in code."""

from __future__ import annotations

from typing import Any

import pytest

import headscope as hs
from headscope.errors import RequestError
from headscope.export.html import bundles, place
from tests.unit.page import Page

PROMPT = "the cat sat on the mat the"
ZERO = {"kind": "zero", "on": True, "component": "L2H1", "positions": None}


def test_interventions_are_given_as_a_list_or_as_their_json(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, PROMPT, interventions=[ZERO])
    assert widget.interventions == hs.Interventions().zero("L2H1")
    widget.interventions = widget.interventions.scale("MLP1", 2)
    assert widget.get_state("interventions")["interventions"][1]["factor"] == 2.0
    widget.interventions = []
    assert widget.interventions == hs.Interventions()


def test_an_edit_computes_like_that_of_a_field(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, PROMPT)
    job = widget.status["job"]
    widget.interventions = [ZERO]
    widget.run()
    assert widget.status["job"] == job + 1


@pytest.mark.parametrize(
    ("given", "line"),
    [("L2H1", "are made of a list"), ([{"kind": "melt"}], "no intervention 'melt'"),
     ([{"kind": "zero", "component": "L2"[:1]}], "no component")],
)  # fmt: skip
def test_a_bad_list_is_one_line_in_python_and_in_the_page(gpt2: Any, given: Any, line: str) -> None:
    widget = hs.AttentionPatterns(gpt2, PROMPT, interventions=[ZERO])
    with pytest.raises(RequestError, match=line):
        widget.interventions = given
    widget.set_state({"interventions": given})
    assert widget._error is not None
    assert line in widget._error["message"]
    assert widget.interventions == hs.Interventions([ZERO])
    with pytest.raises(RequestError, match=line):
        hs.AttentionPatterns(gpt2, PROMPT, interventions=given)


def test_a_list_that_is_taken_as_it_was_sent_is_not_sent_back(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, PROMPT, interventions=hs.Interventions().scale("MLP1", 0.5))
    page = Page(widget)
    (item,) = widget.get_state("interventions")["interventions"]
    page.write(interventions=[{**item, "factor": 2}])  # as JavaScript writes 2.0
    assert widget.interventions == hs.Interventions().scale("MLP1", 2)
    assert "interventions" not in page.state
    page.write(interventions=[{"kind": "zero", "component": "L2H1"}])
    assert page.state["interventions"] == hs.Interventions().zero("L2H1").to_list()


def test_widgets_that_take_none_say_which_do(gpt2: Any) -> None:
    widget = hs.InferenceStages(gpt2, PROMPT)
    assert widget.interventions is None
    with pytest.raises(RequestError, match=r"InferenceStages takes no .*and Explorer do"):
        widget.interventions = [ZERO]


def test_an_effect_is_one_of_three(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, PROMPT)
    with pytest.raises(RequestError, match="effect cannot be 'both'"):
        widget.effect = "both"  # type: ignore[assignment]


def test_a_page_carries_the_panel_where_there_is_a_list(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, "the cat sat")
    assert "interventions" not in widget.freeze().needs
    widget.interventions = hs.Interventions().zero("L1H1")
    widget.run()
    frozen = widget.freeze()
    assert frozen.needs == ("grid", "interventions")
    assert bundles(frozen.needs) == ("frozen-interventions.js", "frozen.js")
    assert 'data-kind="grid interventions"' in place(frozen)
    widget.close()


def test_none_is_an_empty_list_and_a_prompt_that_is_none_says_so(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, "the cat", interventions=hs.Interventions().zero("L0H0"))
    widget.interventions = None
    assert widget.interventions == hs.Interventions()
    assert isinstance(hs.LogitLens(gpt2, 123).last_error, hs.PromptError)
