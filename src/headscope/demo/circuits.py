"""What the embedded model's circuits are, measured, so that nobody has to take a caption on trust.

Heads are scored by where they attend on repeated random words. The two-hop question is examined by
activation patching of the residual stream (clean into corrupted; 1 is the clean logit difference, 0
the corrupted one) and by the logit lens (final norm applied; ranks from 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.evaluate import repeated, token
from headscope.demo.language import held_out_cases
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


@torch.no_grad()
def _two_hop(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    drawn = held_out_cases("two_hop", np.random.default_rng(3))
    cases = [c for c in islice(drawn, 400) if c.prompt.startswith("The capital of")][:_PAIRS]
    clean = _ids(tokenizer, [c.prompt for c in cases])
    corrupted = _ids(tokenizer, [c.corrupted for c in cases])
    # "The capital of the state of Texas is": as many tokens, the state where the city was.
    told = [c.prompt.replace(f"containing {c.key}", f"of {state_of()[c.key].name}") for c in cases]
    answer = torch.tensor([token(tokenizer, c.answer) for c in cases])
    wrong = torch.tensor([token(tokenizer, c.wrong) for c in cases])
    states = torch.tensor([token(tokenizer, f" {state_of()[c.key].name}") for c in cases])
    city = int((clean != corrupted).any(0).nonzero()[0])
    last = clean.shape[1] - 1
    source = model(clean, output_hidden_states=True).hidden_states
    from_state = model(_ids(tokenizer, told), output_hidden_states=True).hidden_states
    blocks: Any = model.transformer.h
    rows = torch.arange(len(cases))

    def difference(logits: Tensor) -> Tensor:
        return (logits[rows, -1, answer] - logits[rows, -1, wrong]).mean()

    high, low = difference(model(clean).logits), difference(model(corrupted).logits)

    def patched(layer: int, position: int, values: Tensor) -> Tensor:
        def patch(_: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            hidden = arguments[0].clone()
            hidden[:, position] = values[:, position]
            return (hidden, *arguments[1:])

        with _hooked(blocks[layer].register_forward_pre_hook(patch)):
            logits: Tensor = model(corrupted).logits
        return logits

    def mlp_patched(layer: int) -> Tensor:
        mlp: nn.Module = blocks[layer].mlp
        kept: list[Tensor] = []
        with _hooked(mlp.register_forward_hook(lambda _, __, out: kept.append(out))):
            model(clean)

        def patch(_: object, __: object, out: Tensor) -> Tensor:
            out = out.clone()
            out[:, city] = kept[0][:, city]
            return out

        with _hooked(mlp.register_forward_hook(patch)):
            logits: Tensor = model(corrupted).logits
        return logits

    def recovered(logits: Tensor) -> float:
        return round(float((difference(logits) - low) / (high - low)), 2)

    def turned(logits: Tensor) -> float:
        return round(float((logits[:, -1].argmax(-1) == answer).float().mean()), 2)

    def ranks(position: int, tokens: Tensor) -> list[int]:
        normed = [model.transformer.ln_f(h[:, position]) for h in source[:-1]]
        readouts = [model.lm_head(h) for h in (*normed, source[-1][:, position])]
        better = [(r > r.gather(1, tokens[:, None])).sum(1) for r in readouts]
        return [int(count.median()) for count in better]

    layers = range(len(blocks))
    return {
        "recovered_at_city": [recovered(patched(i, city, source[i])) for i in layers],
        "recovered_at_last": [recovered(patched(i, last, source[i])) for i in layers],
        "recovered_by_mlp_at_city": [recovered(mlp_patched(i)) for i in layers],
        "answer_turned_by_state_at_city": [turned(patched(i, city, from_state[i])) for i in layers],
        "state_rank_at_city": ranks(city, states),
        "state_rank_at_last": ranks(last, states),
        "capital_rank_at_last": ranks(last, answer),
    }


@contextmanager
def _hooked(handle: RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def _ids(tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> Tensor:
    return torch.tensor([[0, *tokenizer(p)["input_ids"]] for p in prompts])


def describe(found: dict[str, Any]) -> str:
    """The findings in sentences."""
    previous, hop = found["previous_token_head"], found["two_hop"]
    induction = ", ".join(f"{h} ({s:.2f})" for h, s in found["induction_heads"].items())

    def series(key: str) -> str:
        return ", ".join(str(value) for value in hop[key])

    return f"""\
- Previous-token head: {previous["head"]} (mean attention {previous["score"]:.2f}).
- Induction heads, on repeated random words: {induction or "none above 0.4"}.
- Two hops, cities held out. Patching the residual stream before layers 0, 1, 2, 3 from a city of
  one state into the prompt with another's recovers {series("recovered_at_city")} of the logit
  difference at the city and {series("recovered_at_last")} at the last position; patching one MLP's
  output at the city recovers {series("recovered_by_mlp_at_city")}.
- The state itself in the city's place: with the residual stream of " Texas", taken from "The
  capital of the state of Texas is", put where another state's city stands before layers 0, 1, 2, 3,
  the answer becomes Texas's capital in {series("answer_turned_by_state_at_city")} of the cases.
- Logit lens before layers 0, 1, 2, 3 and at the end, median ranks (0 is best): the state
  {series("state_rank_at_city")} at the city and {series("state_rank_at_last")} at the last
  position, the capital {series("capital_rank_at_last")} at the last position."""
