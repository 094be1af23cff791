"""Features that stand for a state, and what happens to the answer if they are set.

At the city of "The capital of the state containing Dallas is":

- a feature detects a state if its F1 over all cities is at least `DETECTS`, where it counts as on
  above a quarter of its highest activation there;
- a state's features are the `FEATURES` of each layer but the last whose mean at the state's cities
  is furthest above their mean at all cities.

Steering sets the features of the city's own state to 0 and those of another state to a multiple of
their mean at that state's cities, in all these layers at once. What they then write more or less
is added to what the MLP really writes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.evaluate import token
from headscope.demo.world import state_of, states
from headscope.model.dictionaries import Transcoders

DETECTS = 0.8
FEATURES = 3
FACTORS = (0, 1, 4, 8, 16, 32)
PROMPT = "The capital of the state containing {city} is"
_ON = 0.25
_CITY = -2


class Cities:
    """The prompt of every city, and what transcoders see of it.

    Args:
        model: The network.
        tokenizer: Its tokenizer.
        transcoders: Its transcoders.
    """

    def __init__(
        self, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, transcoders: Transcoders
    ) -> None:
        self.model, self.transcoders = model, transcoders
        names = [state.name for state in states()]
        self.cities = tuple(state_of())
        prompts = [PROMPT.format(city=city) for city in self.cities]
        self.ids = torch.tensor([[0, *tokenizer(prompt)["input_ids"]] for prompt in prompts])
        self.state = torch.tensor([names.index(state_of()[city].name) for city in self.cities])
        self.capitals = torch.tensor([token(tokenizer, f" {s.capital}") for s in states()])
        self.of_state = torch.nn.functional.one_hot(self.state).float()  # [city, state]
        self.activations: list[Tensor] = []
        self._run([self._keep(layer) for layer in range(len(transcoders))])
        sizes = self.of_state.sum(0)[:, None]
        self.means = [self.of_state.T @ active / sizes for active in self.activations]
        """Per layer, `[state, feature]`."""

    def _keep(self, layer: int) -> Any:
        def hook(_: object, arguments: tuple[Tensor, ...], out: Tensor) -> None:
            self.activations.append(self.transcoders[layer].encode(arguments[0][:, _CITY]))

        return hook

    def _run(self, hooks: Sequence[Any]) -> Tensor:
        """Logits at the last position, `[city, vocabulary]`."""
        network: Any = self.model.transformer
        with ExitStack() as stack:
            for block, hook in zip(network.h, hooks, strict=False):  # the lowest layers
                stack.callback(block.mlp.register_forward_hook(hook).remove)
            logits: Tensor = self.model(self.ids, attention_mask=torch.ones_like(self.ids)).logits
        return logits[:, -1]

    def detectors(self, layer: int) -> Tensor:
        """Whether a feature detects a state, bool `[state, feature]`."""
        active = self.activations[layer]
        on = (active > _ON * active.amax(0).clamp(min=1e-6)).float()
        right = self.of_state.T @ on
        return 2 * right / (on.sum(0) + self.of_state.sum(0)[:, None]) >= DETECTS

    def features(self, layer: int) -> Tensor:
        """The numbers of each state's features, int64 `[state, FEATURES]`, the foremost first."""
        means = self.means[layer]
        return (means - means.mean(0)).topk(FEATURES, dim=1).indices

    def steered(self, factor: float, others: Tensor) -> Tensor:
        """Logits `[city, vocabulary]` with each city's state's features off and others' set.

        Args:
            factor: Of the others' means.
            others: The number of the state that is put in, `[city]`.
        """

        def steer(layer: int) -> Any:
            of, transcoder = self.features(layer), self.transcoders[layer]
            chosen = torch.zeros_like(self.means[layer], dtype=torch.bool).scatter_(1, of, True)

            def hook(_: object, arguments: tuple[Tensor, ...], out: Tensor) -> Tensor:
                now = transcoder.encode(arguments[0][:, _CITY])
                then = now.masked_fill(chosen[self.state], 0)
                then = (factor * self.means[layer][others]).where(chosen[others], then)
                out = out.clone()
                out[:, _CITY] += (then - now) @ transcoder.w_dec[:, 0].float()
                return out

            return hook

        return self._run([steer(layer) for layer in range(len(self.transcoders) - 1)])


@torch.no_grad()
def measure(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, transcoders: Transcoders
) -> dict[str, Any]:
    """How many states have detectors, Texas's features, and what steering does to the answer."""
    cities = Cities(model, tokenizer, transcoders)
    texas = [state.name for state in states()].index("Texas")
    n = len(states())
    others = (cities.state + 1 + torch.arange(len(cities.cities)) % (n - 1)) % n
    steering = {}
    for factor in FACTORS:
        logits = cities.steered(factor, others)
        own, other = (cities.capitals[of] for of in (cities.state, others))
        answer = logits.argmax(1)
        difference = logits.gather(1, other[:, None]) - logits.gather(1, own[:, None])
        steering[str(factor)] = {
            "own_capital": round(float((answer == own).float().mean()), 3),
            "other_capital": round(float((answer == other).float().mean()), 3),
            "logit_difference": round(float(difference.mean()), 1),
        }
    layers = range(len(transcoders) - 1)
    found = [cities.detectors(layer) for layer in layers]
    return {
        "detected": [int(of.any(1).sum()) for of in found],
        "Texas": {
            "detectors": _names([of[texas].nonzero()[:, 0] for of in found]),
            "features": _names([cities.features(layer)[texas] for layer in layers]),
        },
        "steering": steering,
    }


def _names(features: Sequence[Tensor]) -> list[str]:
    """Features of each layer as a graph names them."""
    return [f"L{layer}F{f}" for layer, of in enumerate(features) for f in of.tolist()]
