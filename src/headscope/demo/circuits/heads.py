"""The previous-token and induction heads, by where they attend and by what their loss costs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.circuits import ioi
from headscope.demo.circuits.edits import Site, mean_ablation, run
from headscope.demo.circuits.pairs import tidy
from headscope.demo.evaluate import induction_score, repeated

_LENGTH = 12
_FAR = 50
_ATTENDS = 0.5
_PREVIOUS, _INDUCTION = "previous_token_heads", "induction_heads"


@torch.no_grad()
def measure(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Attention scores on random words said twice, and the tasks without those heads.

    The reach is the last position up to which some head attends to the previous one.
    """
    words = len(tokenizer)
    near = _patterns(model, repeated(words, _LENGTH))
    previous = near.diagonal(-1, -2, -1)[..., 1:].mean(-1)
    induction = near.diagonal(1 - _LENGTH, -2, -1)[..., 2:].mean(-1)
    far = _patterns(model, repeated(words, _FAR)).diagonal(-1, -2, -1).amax((0, 1))
    reach = int((far < _ATTENDS).nonzero()[0])  # the diagonal starts at dest 1
    before, again = _heads(previous), _heads(induction)
    groups = {
        "nothing": [],
        **{site.label: [site] for site in before},
        _PREVIOUS: [*before],
        _INDUCTION: [*again],
    }
    return {
        _PREVIOUS: {site.label: tidy(score) for site, score in before.items()},
        "previous_token_reach": reach,
        _INDUCTION: {site.label: tidy(score) for site, score in again.items()},
        "without": _without(model, tokenizer, groups),
    }


def _patterns(model: GPT2LMHeadModel, ids: Tensor) -> Tensor:
    """Mean attention `[layer, head, dest, src]`."""
    return torch.stack(model(ids, output_attentions=True).attentions).mean(1)


def _heads(scores: Tensor) -> dict[Site, float]:
    found = (scores > _ATTENDS).nonzero().tolist()
    return {Site("z", layer, head): float(scores[layer, head]) for layer, head in found}


def _without(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, groups: dict[str, list[Site]]
) -> dict[str, Any]:
    """Accuracy with heads mean-ablated at every position: 25 words said twice, and `ioi`."""
    ids = repeated(len(tokenizer), 25)
    pairs = ioi.pairs(model, tokenizer)
    return {
        name: {
            "induction_25": tidy(
                induction_score(run(model, ids, mean_ablation(model, ids, heads)), ids).accuracy
            ),
            "ioi": pairs.right(pairs.without(heads, slice(None))),
        }
        for name, heads in groups.items()
    }


_TEXT = """\
**Induction** (mean attention, on {length} random words said twice).
- Previous-token heads: {previous}. They reach no further than position {reach}, and so neither do
  the induction heads, which find a word by the word before it.
- Induction heads: {induction}.
- {intact[induction_25]:.2f} of 25 random words repeated are foretold; with one previous-token head
  mean-ablated, {alone} (they stand in for each other), with all of them
  {blind[induction_25]:.2f}, with the induction heads {bare[induction_25]:.2f}. Of the indirect
  objects {intact[ioi]:.2f} are right, and {blind[ioi]:.2f} and {bare[ioi]:.2f} then."""


def describe(found: dict[str, Any]) -> str:
    """The findings in sentences."""
    without = found["without"]
    previous, induction = (
        ", ".join(f"{head} ({score:.2f})" for head, score in found[kind].items())
        for kind in (_PREVIOUS, _INDUCTION)
    )
    return _TEXT.format(
        length=_LENGTH,
        previous=previous,
        reach=found["previous_token_reach"],
        induction=induction,
        intact=without["nothing"],
        alone=", ".join(f"{without[head]['induction_25']:.2f}" for head in found[_PREVIOUS]),
        blind=without[_PREVIOUS],
        bare=without[_INDUCTION],
    )
