"""What is predicted after a prompt, with interventions and without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from headscope.model.intervening import Plan
from headscope.model.live import LiveModel
from headscope.model.runs import LOGITS, Site

_K = 10


@dataclass(frozen=True)
class Shift:
    """How likely a token is to come next.

    Args:
        token_id: Its id.
        text: Its text.
        before: Its probability in the plain model.
        after: Its probability with the interventions.
    """

    token_id: int
    text: str
    before: float
    after: float


def shifts(plan: Plan, token_ids: Sequence[int], k: int = _K) -> tuple[Shift, ...]:
    """The `k` tokens that are most likely to come next, with interventions or without.

    Softmax over the whole vocabulary of the logits at the last position, of one run each; the most
    likely of either first.

    Cost: two forward passes where they are not cached.
    """
    model = plan.model
    before = _probabilities(model, token_ids)
    with plan.acting():
        after = _probabilities(model, token_ids)
    ids = torch.maximum(before, after).topk(min(k, len(before))).indices
    return tuple(
        Shift(at, model.token_text(at), float(before[at]), float(after[at])) for at in ids.tolist()
    )


def _probabilities(model: LiveModel, token_ids: Sequence[int]) -> torch.Tensor:
    last = Site(LOGITS, 0, len(token_ids) - 1)
    return model.activations(token_ids, [last])[last].softmax(-1)
