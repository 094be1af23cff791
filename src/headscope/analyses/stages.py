"""Stages of inference: what each layer does, as curves, and where four stages begin and end.

Curves, one number per layer, means over the tokens of a prompt and then over prompts:

    nearby       share of a head's attention on the 5 tokens right before the one that attends, mean
                 over heads and over tokens with more than 5 before them
    agreement    share of tokens at which the logit lens after the layer has the model's top token
    kl, entropy  of the lens after the layer, in nats: KL(final || lens), and the lens's entropy
    prediction,  shares of the layer's neurons with a kurtosis above 10 over the vocabulary (see
    suppression  `neuron_moments`): with positive skew they speak for a few tokens, with negative
                 skew against a few
    attention,   norm of what attention and MLP write, as a share of the norm of the stream that
    mlp          leaves the layer

The first token of a prompt is left out of all but `nearby`: it attends to nothing but itself, and
models park attention and norm there. How the stages are read off the curves is in `stage_rules`.

Sources: Lad, Gurnee & Tegmark 2024, "The Remarkable Robustness of LLMs: Stages of Inference?";
Gurnee et al. 2024, "Universal Neurons in GPT2 Language Models" (prediction and suppression neurons
by kurtosis and skew; 10 is the threshold of their published code).
Cost: a forward pass and an unembedding per layer and token for each prompt; the neurons cost
d_mlp x d_model x d_vocab multiplications per layer, once for a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
import torch

from headscope.analyses.neuron_moments import neuron_moments
from headscope.analyses.readings import Readings, working_bytes
from headscope.analyses.stage_curves import CURVES, PEAKED, WINDOW, Curves
from headscope.analyses.stage_rules import stages
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.model.watching import Observer
from headscope.results import (
    CELL_STATES,
    MEAN,
    Axis,
    Grid,
    NextToken,
    Prompt,
    Provenance,
)

Text = Union[str, tuple[int, ...]]

#: What the prompts take of the progress; the rest is the neurons'.
_PROMPTS = 0.5
_ESTIMATED = CELL_STATES.index("estimated")


@dataclass(frozen=True)
class InferenceStagesRequest:
    """What each layer does.

    Args:
        prompt: Text or token ids.
        more: More prompts; each counts the same.
        seed: Of the bootstrap over prompts.
    """

    prompt: Text
    more: tuple[Text, ...] = ()
    seed: int = 0


def run(model: LiveModel, request: InferenceStagesRequest) -> Steps[Grid]:
    """Compute the curves.

    Returns:
        A grid `[statistic, layer]` with a measure per curve. What is cancelled keeps the curves
        that are known by then.

    Raises:
        ModelError: The model's logits come from more than norm and unembedding.
        PromptError: A prompt cannot be run.
        RequestError: It needs more memory than is free.
    """
    prompts = [model.tokenize(prompt) for prompt in (request.prompt, *request.more)]
    curves = Curves(len(prompts), model.n_layers)
    yield Step(0.0, "Running the model")
    state = model.state()
    provenance = model.provenance(
        "stages",
        prompts,
        {"window": WINDOW, "kurtosis": PEAKED},
        sign="All curves are at least 0.",
        normalisation="Means over tokens, then over prompts, each of which counts the same.",
        user_hooks=model.user_hooks(),
        notes=_lacking(model),
        seed=request.seed,
    )
    next_tokens: tuple[NextToken, ...] = ()

    def grid(*, partial: bool = True) -> Grid:
        return _grid(provenance, curves, next_tokens, partial=partial)

    for number, prompt in enumerate(prompts):
        model.still(state, "the first prompt ran")
        logits, lens = _watch(model, prompt, curves, number)
        next_tokens = next_tokens or model.next_tokens(logits)
        for done in lens:
            yield Step(_PROMPTS * (number + done) / len(prompts), f"Prompt {number + 1}")
        yield Step(_PROMPTS * (number + 1) / len(prompts), f"Prompt {number + 1}", grid())
    for layer in range(model.n_layers):
        model.still(state, "the first prompt ran")
        found: list[torch.Tensor] = []
        for done in neuron_moments(model, layer, found):
            share = _PROMPTS + (1 - _PROMPTS) * (layer + done) / model.n_layers
            yield Step(share, f"Neurons of layer {layer}")
        for skew, kurtosis in found:
            peaked = kurtosis > PEAKED
            curves.of_neurons["prediction"][layer] = float((peaked & (skew > 0)).float().mean())
            curves.of_neurons["suppression"][layer] = float((peaked & (skew < 0)).float().mean())
        share = _PROMPTS + (1 - _PROMPTS) * (layer + 1) / model.n_layers
        yield Step(share, f"Neurons of layer {layer}", grid())
    return grid(partial=False)


def _lacking(model: LiveModel) -> list[str]:
    return [] if model.capabilities.attention else ["The model shows no attention patterns."]


def _watch(
    model: LiveModel, prompt: Prompt, curves: Curves, number: int
) -> tuple[torch.Tensor, Iterator[float]]:
    """Run a prompt once; logits at its end, and the reading of the lens, a piece at a time."""
    n, own = len(prompt.token_ids), curves.of_prompts
    counted = slice(min(1, n - 1), None)
    streams: list[torch.Tensor] = []
    norms: dict[tuple[str, int], torch.Tensor] = {}

    def attends(layer: int) -> None:
        def look(pattern: torch.Tensor) -> None:
            own["nearby"][number, layer] = _nearby(pattern)

        observers[f"blocks.{layer}.attn.hook_pattern"] = look

    def writes(layer: int, name: str, hook: str) -> None:
        def look(written: torch.Tensor) -> None:
            norms[name, layer] = written[counted].float().norm(dim=-1)

        if (full := f"blocks.{layer}.{hook}") in model.bridge.hook_dict:
            observers[full] = look

    def leaves(layer: int) -> None:
        def look(stream: torch.Tensor) -> None:
            streams.append(stream.detach().to(path.unembedding.device, copy=True))
            norm = stream[counted].float().norm(dim=-1)
            for name in ("attention", "mlp"):
                if (written := norms.pop((name, layer), None)) is not None:
                    own[name][number, layer] = float((written.to(norm) / norm).mean())

        observers[f"blocks.{layer}.hook_resid_post"] = look

    observers: dict[str, Observer] = {}
    path = model.read_out()
    for layer in range(model.n_layers):
        if model.capabilities.attention:
            attends(layer)
        writes(layer, "attention", "hook_attn_out")
        writes(layer, "mlp", "hook_mlp_out")
        leaves(layer)
    work = working_bytes((model.n_layers, n), model.d_vocab, 1)
    logits = model.forward(prompt.token_ids, observers, work=work)
    with torch.no_grad():
        path.check(streams[-1][-1:], logits)
    readings = Readings(path, [stream[counted] for stream in streams], 1)

    def lens() -> Iterator[float]:
        yield from readings.pieces()
        own["agreement"][number] = (readings.rank == 0).mean(1)
        own["kl"][number] = readings.kl.mean(1)
        own["entropy"][number] = readings.entropy.mean(1)

    return logits[-1], lens()


def _nearby(pattern: torch.Tensor) -> float:
    """Of a pattern `[head, dest, src]`; NaN where no token has enough tokens before it."""
    n = pattern.shape[-1]
    back = torch.arange(n)[:, None] - torch.arange(n)
    near = ((back > 0) & (back <= WINDOW)).to(pattern.device)
    shares = (pattern.float() * near).sum(-1)[:, WINDOW + 1 :]
    return float(shares.mean()) if shares.numel() else float("nan")


def _grid(
    provenance: Provenance,
    curves: Curves,
    next_tokens: Sequence[NextToken],
    *,
    partial: bool,
) -> Grid:
    seed = provenance.seed or 0
    n_layers = len(curves.mean("kl"))
    measures = tuple(curves.measure(name, seed) for name in CURVES)
    statistics = (MEAN, "low", "high")[: len(measures[0].values)]
    many = "" if len(provenance.prompts) == 1 else f" over {len(provenance.prompts)} prompts"
    shape = (len(statistics), n_layers)
    return Grid(
        title=f"Stages of inference{many}",
        axes=(
            Axis("statistic", statistics),
            Axis("layer", tuple(f"L{layer}" for layer in range(n_layers)), selects="layer"),
        ),
        measures=measures,
        provenance=provenance,
        next_tokens=tuple(next_tokens),
        # Of some of the prompts, and the neurons of some of the layers.
        states=np.full(shape, _ESTIMATED, np.uint8) if partial else None,
        drawn="curves",
        stretches=() if partial else stages({name: curves.mean(name) for name in CURVES}),
    )
