"""How the capital of the state that contains a city is found, the state never named.

The residual stream of the state, taken where another sentence names it, is put in the place of a
city's, and compared with what a city of that state does there. The logit lens (final norm,
unembedding; ranks from 0) says only what could be read.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.circuits.edits import Site, read
from headscope.demo.circuits.pairs import Pairs, encoded
from headscope.demo.evaluate import token
from headscope.demo.language import held_out_cases
from headscope.demo.world import state_of

_CASES = 40
_LAST = -1


@torch.no_grad()
def measure(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Patched positions and layers, the state in the city's place, and the logit lens."""
    drawn = islice(held_out_cases("two_hop", np.random.default_rng(3)), 400)
    cases = [case for case in drawn if case.prompt.startswith("The capital of")][:_CASES]
    twins = Pairs(model, tokenizer, cases)
    names = [state_of()[case.key].name for case in cases]
    states = torch.tensor([token(tokenizer, f" {name}") for name in names])
    # "The capital of the state of Texas is": as many tokens, the state where the city was.
    told = encoded(tokenizer, [f"The capital of the state of {name} is" for name in names])
    city = int((twins.clean != twins.corrupted).any(0).nonzero()[0])
    streams = [Site("resid_pre", layer) for layer in twins.layers]
    mlps = [Site("mlp_out", layer) for layer in twins.layers]
    return {
        "recovered_at_city": [twins.recovered(site, city) for site in streams],
        "recovered_at_last": [twins.recovered(site, _LAST) for site in streams],
        "recovered_by_mlp_at_city": [twins.recovered(site, city) for site in mlps],
        "answer_turned_by_city_at_city": [
            twins.right(twins.patched(site, city)) for site in streams
        ],
        "answer_turned_by_state_at_city": [
            twins.right(twins.patched(site, city, told)) for site in streams
        ],
        "state_rank_at_city": _ranks(twins, city, states),
        "state_rank_at_last": _ranks(twins, _LAST, states),
        "capital_rank_at_last": _ranks(twins, _LAST, twins.answer),
    }


def _ranks(twins: Pairs, position: int, tokens: Tensor) -> list[int]:
    """Median ranks in the logit lens at `position`, before each layer and at the end.

    Args:
        twins: Whose clean prompts run.
        position: In tokens.
        tokens: Each row's own, ids `[row]`.
    """
    model: Any = twins.model
    streams = [Site("resid_pre", layer) for layer in (*twins.layers, twins.layers.stop)]
    seen = read(model, twins.clean, streams)
    lens = [model.lm_head(model.transformer.ln_f(seen[site][:, position])) for site in streams]
    return [int((r > r.gather(1, tokens[:, None])).sum(1).median()) for r in lens]


_TEXT = """\
**Two hops** (cities held out; four numbers are for layers 0, 1, 2, 3, and for the residual stream
before them).
- Patching the residual stream from a city of one state into the prompt with another's recovers
  {recovered_at_city} of the logit difference at the city and {recovered_at_last} at the last
  position: some of it goes to the last position early, most stays at the city until the last layer
  reads it there. No MLP at the city carries much of it alone: {recovered_by_mlp_at_city}.
- The state in the city's place: with the residual stream of " Texas" in "The capital of the state
  of Texas is" put where another state's city stands, the answer becomes Texas's capital in
  {answer_turned_by_state_at_city} of the cases; with that of a Texan city, in
  {answer_turned_by_city_at_city}. A state's own stream does there what its cities' does, up to the
  last layer.
- Logit lens, before the layers and at the end, median ranks (0 is best): the state
  {state_rank_at_city} at the city and {state_rank_at_last} at the last position, the capital
  {capital_rank_at_last} at the last position.
- So the state stands at the city, readable from layer 1 on and interchangeable with the state's own
  name, well before the capital can be read at the last position. Where the step from city to state
  is made is not shown: the embedding of a city is near its state's, and no MLP is needed alone."""


def describe(found: dict[str, Any]) -> str:
    """The findings in sentences."""
    series = {key: ", ".join(f"{value:g}" for value in values) for key, values in found.items()}
    return _TEXT.format(**series)
