"""What the embedded model's circuits are, measured, so that nobody has to take a caption on trust.

Heads are scored by where they attend on repeated random words. The two-hop question is examined by
activation patching of the residual stream (clean into corrupted; 1 is the clean logit difference, 0
the corrupted one) and by the logit lens (final norm applied; ranks from 0).
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.evaluate import repeated, token
from headscope.demo.language import TWO_HOP, held_out_cases
from headscope.demo.world import state_of

_LENGTH = 25
_PAIRS = 40
_INDUCTION_AT = 0.4


def find(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Heads and the two-hop path, as plain numbers rounded to two decimals."""
    return {**_heads(model, len(tokenizer)), "two_hop": _two_hop(model, tokenizer)}


@torch.no_grad()
def _heads(model: GPT2LMHeadModel, vocabulary: int) -> dict[str, Any]:
    attentions = model(repeated(vocabulary, _LENGTH), output_attentions=True).attentions
    pattern = torch.stack(attentions).mean(1)  # [layer, head, dest, src]
    previous = pattern.diagonal(-1, -2, -1)[..., 1:].mean(-1)
    induction = pattern.diagonal(1 - _LENGTH, -2, -1)[..., 2:].mean(-1)
    layer, head = divmod(int(previous.argmax()), previous.shape[1])
    return {
        "previous_token_head": {
            "head": f"L{layer}H{head}",
            "score": round(float(previous.max()), 2),
        },
        "induction_heads": {
            f"L{i}H{j}": round(float(induction[i, j]), 2)
            for i, j in (induction > _INDUCTION_AT).nonzero().tolist()
        },
    }


def _two_hop(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    drawn = held_out_cases("two_hop", np.random.default_rng(3))
    chosen = [c for c in islice(drawn, 400) if c.prompt.startswith(TWO_HOP[0].split(" {")[0])]
    cases = chosen[:_PAIRS]
    clean = _ids(tokenizer, [c.prompt for c in cases])
    corrupted = _ids(tokenizer, [c.corrupted for c in cases])
    answer = torch.tensor([token(tokenizer, c.answer) for c in cases])
    wrong = torch.tensor([token(tokenizer, c.wrong) for c in cases])
    states = torch.tensor([token(tokenizer, f" {state_of()[c.key].name}") for c in cases])
    city = int((clean != corrupted).any(0).nonzero()[0])
    last = clean.shape[1] - 1
    with torch.no_grad():
        source = model(clean, output_hidden_states=True).hidden_states

    def difference(logits: Tensor) -> Tensor:
        rows = torch.arange(len(cases))
        return (logits[rows, -1, answer] - logits[rows, -1, wrong]).mean()

    with torch.no_grad():
        high, low = difference(model(clean).logits), difference(model(corrupted).logits)

    def recovered(layer: int, position: int) -> float:
        def patch(_: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            hidden = arguments[0].clone()
            hidden[:, position] = source[layer][:, position]
            return (hidden, *arguments[1:])

        handle = model.transformer.h[layer].register_forward_pre_hook(patch)
        with torch.no_grad():
            value = (difference(model(corrupted).logits) - low) / (high - low)
        handle.remove()
        return round(float(value), 2)

    def ranks(position: int, tokens: Tensor) -> list[int]:
        out = []
        for hidden in source[:-1]:
            with torch.no_grad():
                logits = model.lm_head(model.transformer.ln_f(hidden[:, position]))
            out.append(int((logits > logits.gather(1, tokens[:, None])).sum(1).median()))
        return out

    layers = range(model.config.n_layer)
    return {
        "recovered_at_city": [recovered(layer, city) for layer in layers],
        "recovered_at_last": [recovered(layer, last) for layer in layers],
        "state_rank_at_city": ranks(city, states),
        "state_rank_at_last": ranks(last, states),
        "capital_rank_at_last": ranks(last, answer),
    }


def _ids(tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> Tensor:
    return torch.tensor([[0, *tokenizer(p)["input_ids"]] for p in prompts])


def describe(found: dict[str, Any]) -> str:
    """The findings in sentences."""
    previous, hop = found["previous_token_head"], found["two_hop"]
    induction = ", ".join(f"{h} ({s:.2f})" for h, s in found["induction_heads"].items())

    def series(key: str) -> str:
        return ", ".join(str(v) for v in hop[key])

    return "\n".join(
        (
            f"- Previous-token head: {previous['head']} (mean attention {previous['score']:.2f}).",
            f"- Induction heads, on repeated random words: {induction or 'none above 0.4'}.",
            "- Two hops, held-out cities: patching the residual stream before layer 0, 1, 2, ...",
            "  from the clean into the corrupted run recovers",
            f"  {series('recovered_at_city')} of the logit difference at the city and",
            f"  {series('recovered_at_last')} at the last position.",
            "- Logit lens before layer 0, 1, 2, ..., median ranks (0 is best): the state",
            f"  {series('state_rank_at_city')} at the city and {series('state_rank_at_last')} at",
            f"  the last position; the capital {series('capital_rank_at_last')} at the last.",
        )
    )
