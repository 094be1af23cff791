"""How the indirect object is found: which positions and heads the answer goes through.

Positions are named as by Wang et al. (2022): IO and S1 are the two names, S2 is the giver, who is
S1 again, and END is the last token.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo import words
from headscope.demo.circuits.edits import Site, all_heads, read
from headscope.demo.circuits.pairs import Pairs, tidy
from headscope.demo.evaluate import token
from headscope.demo.language import Case, held_out_cases

_CASES = 60
_END = -1
_ATTENDS = 0.5
_CHOOSES = 0.2
_BY_ORDER = 0.05


def pairs(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> Pairs:
    """Held-out cases, IO first in half of them; none of the one frame that is a token longer."""
    drawn = islice(held_out_cases("ioi", np.random.default_rng(3)), 4 * _CASES)
    cases = [case for case in drawn if not case.prompt.startswith("Then")]
    orders = ([c for c in cases if _io_is_first(c) == first] for first in (True, False))
    return Pairs(model, tokenizer, [case for order in orders for case in order[: _CASES // 2]])


def _io_is_first(case: Case) -> bool:
    said = case.prompt.split()
    return said.index(case.answer.strip()) < said.index(case.wrong.strip())


@torch.no_grad()
def measure(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Patched positions, the head that brings S2 to END, the heads that bring the names."""
    twins = pairs(model, tokenizer)
    s2 = int((twins.clean != twins.corrupted).any(0).nonzero()[0])
    at = {"S2": s2, "S2+1": s2 + 1, "END": _END}
    heads = all_heads(model)
    recovered = {site: twins.recovered(site, _END) for site in heads}
    giver = max(heads, key=recovered.__getitem__)
    attention = torch.stack(model(twins.clean, output_attentions=True).attentions)
    from_end = attention[:, :, :, _END].transpose(1, 2)  # [layer, head, row, src]
    to_names = {site: _to_names(from_end[site.layer, site.head], twins) for site in heads}
    effects = direct(twins, heads)
    name_heads = [s for s in heads if to_names[s]["IO"] + to_names[s]["S1"] > _ATTENDS]
    groups = {"nothing": [], giver.label: [giver], "name_heads": name_heads}
    return {
        "cases": len(twins.rows),
        "recovered": {
            name: [twins.recovered(Site("resid_pre", i), position) for i in twins.layers]
            for name, position in at.items()
        },
        "giver_head": {
            "head": giver.label,
            "attention_to_S2": tidy(from_end[giver.layer, giver.head, :, s2].mean()),
            "recovered": recovered[giver],
            "direct": effects[giver],
        },
        "name_heads": {s.label: {**to_names[s], "direct": effects[s]} for s in name_heads},
        "without_at_END": {
            name: _without(twins, tokenizer, group) for name, group in groups.items()
        },
    }


def _to_names(attention: Tensor, twins: Pairs) -> dict[str, float]:
    """Mean attention `[row, src]` to IO, to S1, and to whichever of them comes first."""
    io, s1 = (
        (twins.clean == name[:, None]).int().argmax(1) for name in (twins.answer, twins.wrong)
    )
    at = {"IO": io, "S1": s1, "first": torch.minimum(io, s1)}
    return {name: tidy(attention[twins.rows, where].mean()) for name, where in at.items()}


@torch.no_grad()
def direct(twins: Pairs, heads: list[Site]) -> dict[Site, float]:
    """Direct effect of each head at END on logit(IO) - logit(S1), in logits, mean over the cases.

    What the head adds to the residual stream, centred, divided by the standard deviation that the
    final norm divides by, and read out.
    """
    model: Any = twins.model
    norm, unembed = model.transformer.ln_f, model.lm_head.weight
    final = Site("resid_pre", twins.layers.stop)
    seen = read(model, twins.clean, [final, *heads])
    scale = (seen[final][:, _END].var(-1, unbiased=False) + norm.eps).sqrt()
    reader = norm.weight * (unembed[twins.answer] - unembed[twins.wrong])
    effects = {}
    for site in heads:
        projection = model.transformer.h[site.layer].attn.c_proj.weight[site.part(model)]
        added = seen[site][:, _END] @ projection
        centred = added - added.mean(-1, keepdim=True)
        effects[site] = tidy(((centred * reader).sum(-1) / scale).mean())
    return effects


def _without(
    twins: Pairs, tokenizer: PreTrainedTokenizerFast, heads: list[Site]
) -> dict[str, float]:
    """With `heads` mean-ablated at END: accuracy, and both names' logits over the other names'."""
    logits = twins.without(heads, _END)
    last, rows = logits[:, _END], twins.rows
    names = torch.tensor([token(tokenizer, f" {name}") for name in words.NAMES])
    io, s1 = last[rows, twins.answer], last[rows, twins.wrong]
    others = (last[:, names].sum(1) - io - s1) / (len(names) - 2)
    return {
        "accuracy": twins.right(logits),
        "IO": tidy((io - others).mean()),
        "S1": tidy((s1 - others).mean()),
    }


_TEXT = """\
**Indirect objects** ({cases} held-out cases; S2 is the giver and S1 the same name before, IO is the
answer, named first in half of the cases, and END is the last token).
- Patching the residual stream before layers 0, 1, 2, 3 from a prompt into its twin with the other
  giver recovers {at_s2} of the logit difference at S2, {at_next} at the token after it and
  {at_end} at END: the giver's name goes straight to END, in layer 0.
- {giver[head]} brings it: at END it attends to S2 ({giver[attention_to_S2]:.2f}), and patching it
  alone there recovers {giver[recovered]:.2f}. Its direct effect on logit(IO) - logit(S1) is
  {giver[direct]:.2f}. Mean-ablated at END, it leaves the two names tied: {tied[accuracy]:.2f} are
  right, and IO and S1 are {tied[IO]:.1f} and {tied[S1]:.1f} over the mean logit of the other names,
  where they were {intact[IO]:.1f} and {intact[S1]:.1f}.
- The names come through the heads that attend to them from END: {choosing} to IO more than to S1,
  {first} to the first name and {second} to the second, whichever is IO. With all of them
  mean-ablated there both names fall, to {bare[IO]:.1f} and {bare[S1]:.1f}, and {bare[accuracy]:.2f}
  are right. So these heads offer both names, and what {giver[head]} has read counts against the
  giver's."""


def describe(found: dict[str, Any]) -> str:
    """The findings in sentences."""
    heads, without = found["name_heads"], found["without_at_END"]
    at_s2, at_next, at_end = (
        ", ".join(f"{share:g}" for share in found["recovered"][name])
        for name in ("S2", "S2+1", "END")
    )
    choosing = [
        f"{head} ({to['IO']:.2f}, {to['S1']:.2f})"
        for head, to in heads.items()
        if to["IO"] - to["S1"] > _CHOOSES
    ]
    first = [head for head, to in heads.items() if to["first"] > 1 - _BY_ORDER]
    second = [head for head, to in heads.items() if to["first"] < _BY_ORDER]
    return _TEXT.format(
        cases=found["cases"],
        at_s2=at_s2,
        at_next=at_next,
        at_end=at_end,
        giver=found["giver_head"],
        intact=without["nothing"],
        tied=without[found["giver_head"]["head"]],
        bare=without["name_heads"],
        choosing=", ".join(choosing),
        first=", ".join(first),
        second=", ".join(second),
    )
