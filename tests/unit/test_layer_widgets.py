"""Widgets that take layers and heads out: sets of prompts, results as far as they have come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import headscope as hs
from tests.models import PROMPT

OTHER = "the dog saw on the mat the dog"


def test_the_page_edits_the_first_prompt_of_a_set(gpt2: Any) -> None:
    widget = hs.LayerRobustness(gpt2, [PROMPT, OTHER])
    assert [p.text for p in widget.result.provenance.prompts] == [PROMPT, OTHER]
    widget.prompt = "the mat"
    widget.run()
    assert [p.text for p in widget.result.provenance.prompts] == ["the mat", OTHER]
    assert "over 2 prompts" in widget.result.title
    one = hs.LayerRobustness(gpt2, (0, 264, 270, 264))
    assert one.result.provenance.prompts[0].token_ids == (0, 264, 270, 264)
    with pytest.raises(hs.RequestError, match="There is no prompt"):
        hs.LayerRobustness(gpt2, [])


def test_a_repair_that_is_cancelled_keeps_the_heads_that_were_ablated(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = hs.SelfRepair(gpt2, PROMPT, " mat", " dog").result
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.0)
    widget = hs.SelfRepair(gpt2, PROMPT, " mat", " dog")
    job = widget._runner.job
    assert job is not None
    for _ in range(3):
        job.advance(0)
    widget.cancel()
    part = widget.result
    known = int((part.states != 1).all(1).sum())
    assert 0 < known < len(whole.axes[0])
    np.testing.assert_allclose(part["change"][:known], whole["change"][:known], atol=1e-6)
    assert np.isnan(part["change"][known:]).all()
    assert part.identity.checked == known


def test_fields_of_the_page_are_those_of_the_request(gpt2: Any) -> None:
    widget = hs.SelfRepair(gpt2, PROMPT)
    widget.heads, widget.corrupted, widget.answer = "L0H1, L2H3", OTHER, " mat"
    grid = widget.run()
    assert grid.axes[0].labels == ("L0H1", "L2H3")
    assert grid.provenance.parameters["ablation"] == "resample"
    assert grid.provenance.prompts[1].text == OTHER
    widget.heads = "MLP1"
    with pytest.raises(hs.RequestError, match="no head"):
        widget.run()
