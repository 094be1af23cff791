"""What interventions do to a prediction, against hooks written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import prediction_effect
from headscope.analyses.prediction_effect import Before, PredictionEffectRequest
from headscope.errors import RequestError
from headscope.jobs.steps import drained
from headscope.model import LiveModel
from headscope.results import Prompt

IDS = (0, 264, 270, 264, 271, 270, 264)
PARTS = hs.Interventions().zero("L1H2").scale("MLP0", 2.5, [1]).clamp("L2N3", 1.5, [-2])


def by_hand(model: Any, position: int) -> torch.Tensor:
    """Logits `[d_vocab]` with `PARTS`."""

    def zero(z: torch.Tensor, hook: Any) -> torch.Tensor:
        z[:, :, 2] = 0
        return z

    def scale(out: torch.Tensor, hook: Any) -> torch.Tensor:
        out[:, 1] *= 2.5
        return out

    def clamp(post: torch.Tensor, hook: Any) -> torch.Tensor:
        post[:, -2, 3] = 1.5
        return post

    hooks = [
        ("blocks.1.attn.hook_z", zero),
        ("blocks.0.hook_mlp_out", scale),
        ("blocks.2.mlp.hook_post", clamp),
    ]
    with torch.no_grad():
        logits = model.run_with_hooks(torch.tensor([IDS]), fwd_hooks=hooks)
    return logits[0, position].double()  # type: ignore[no-any-return]


@pytest.mark.parametrize("position", [-1, 3])
def test_it_is_what_hooks_give(gpt2: Any, position: int) -> None:
    with torch.no_grad():
        plain = gpt2(torch.tensor([IDS]))[0, position].double()
    changed = by_hand(gpt2, position)
    request = PredictionEffectRequest(IDS, PARTS, answer=281, position=position, top_k=4)
    grid = drained(prediction_effect.run(LiveModel.of(gpt2), request))
    live = LiveModel.of(gpt2)
    before, after = plain.softmax(-1), changed.softmax(-1)
    best = {*before.topk(4).indices.tolist(), *after.topk(4).indices.tolist(), 281}
    rows = sorted(best, key=lambda token: -float(torch.maximum(before, after)[token]))
    assert grid.axes[0].labels == tuple(map(live.token_text, rows))
    expected = torch.stack([before, after, after - before], -1)[rows]
    np.testing.assert_allclose(grid["probability"], expected, atol=1e-6)
    expected = torch.stack([plain, changed, changed - plain], -1)[rows]
    np.testing.assert_allclose(grid["logit"], expected, atol=2e-5)
    kl, *losses = (term.value for term in grid.baselines)
    assert kl == pytest.approx(
        float(torch.nn.functional.kl_div(after.log(), before, reduction="sum")), rel=1e-3
    )
    assert losses == pytest.approx([-float(before[281].log()), -float(after[281].log())], rel=1e-4)
    assert kl > 1e-4
    figure = grid.to_plotly(measure="logit")
    assert [bar.name for bar in figure.data] == ["before", "after"]
    np.testing.assert_array_equal(figure.data[1].x, grid["logit"][:, 1])


def test_nothing_changes_nothing(gpt2: Any) -> None:
    off = PARTS.changed(0, on=False).changed(1, on=False).changed(2, on=False)
    request = PredictionEffectRequest(IDS, off)
    grid = drained(prediction_effect.run(LiveModel.of(gpt2), request))
    assert not grid["logit"][:, 2].any()
    assert grid.baselines[0].value == 0


def test_the_plain_run_is_kept_until_something_else_is_asked(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Counted(Before):
        def __init__(self, model: LiveModel, prompt: Prompt, position: int) -> None:
            made.append(prompt.text)
            super().__init__(model, prompt, position)

    monkeypatch.setattr(prediction_effect, "Before", Counted)
    widget = hs.Intervene(gpt2, "the cat sat", corrupted="the dog sat")
    assert np.abs(widget.result["logit"][:, 2]).max() < 1e-5
    widget.interventions = hs.Interventions().zero("L2H1")
    first = widget.result
    assert np.abs(first["logit"][:, 2]).max() > 1e-3
    widget.interventions = widget.interventions.changed(0, on=False).scale("MLP1", 0.5)
    assert widget.result.baselines[0].value != first.baselines[0].value
    assert made == ["the cat sat"]
    widget.position = 1
    widget.run()
    widget.prompt = "the dog"
    widget.run()
    assert made == ["the cat sat", "the cat sat", "the dog"]
    widget.run()  # the model really runs
    assert made[3:] == ["the dog"]
    assert 'corrupted="the dog sat"' in widget.to_code()
    assert "interventions=" in widget.to_code()
    widget.close()


def test_what_does_not_fit_is_said_and_the_list_stays(gpt2: Any) -> None:
    widget = hs.Intervene(gpt2, "the cat sat", [{"kind": "zero", "component": "L1H1"}])
    widget.interventions = widget.interventions.zero("L9H1")
    with pytest.raises(RequestError, match="There is no L9H1"):
        widget.run()
    assert len(widget.interventions) == 2
    widget.interventions = widget.interventions.without(1)
    assert widget.run().shape[1] == 3
    with pytest.raises(RequestError, match="There is no position 7"):
        drained(
            prediction_effect.run(
                LiveModel.of(gpt2), PredictionEffectRequest("the cat", position=7)
            )
        )
    widget.close()
