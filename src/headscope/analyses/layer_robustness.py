"""Layer robustness: what the model loses when a layer, or a part of it, is taken out or moved.

For each layer l the model is run without block l, without its attention, without its MLP, and with
blocks l and l + 1 in each other's place. Over all tokens of all prompts,

    loss change  = mean of -log p'(next token)  -  mean of -log p(next token)     nats per token
    KL           = mean of KL(p || p')                                            nats
    answers kept = share of positions whose most probable next token is the same

with p the model's distribution and p' the changed one's; of several prompts also over the tokens of
each. A positive loss change is a loss: the layer helped. Beginning and end of a model usually
matter most, and the middle hardly.

Sources: He et al. 2024, "What Matters in Transformers? Not All Attention is Needed"; Lad et al.
2024, "The Remarkable Robustness of LLMs: Stages of Inference?".
Cost: four runs per layer and prompt, each from the changed layer on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.effects import numbered
from headscope.errors import PromptError
from headscope.interventions import Interventions
from headscope.jobs.steps import Step, Steps
from headscope.model.intervening import Plan, plan
from headscope.model.intervening.layers import same_type
from headscope.model.intervening.running import Baseline
from headscope.model.live import LiveModel
from headscope.model.memory import FLOAT32, recorded_bytes, refuse_if_too_large
from headscope.results import MEAN, Axis, Grid, Measure, Prompt, Scale, Term

Text = Union[str, tuple[int, ...]]

_EDITS: dict[str, Callable[[int], Interventions]] = {
    "without block": lambda layer: Interventions().skip(layer),
    "without attention": lambda layer: Interventions().skip(layer, "attn"),
    "without MLP": lambda layer: Interventions().skip(layer, "mlp"),
    "swapped with next": lambda layer: Interventions().swap(layer, layer + 1),
}
_WAITING, _EXACT, _NOT_APPLICABLE = 1, 3, 0


@dataclass(frozen=True)
class LayerRobustnessRequest:
    """What each layer is good for.

    Args:
        prompt: Text or token ids.
        more: More prompts; all tokens count the same.
    """

    prompt: Text
    more: tuple[Text, ...] = ()


class _Sums:
    """Of loss, KL and kept answers, `[prompt, edit, layer]`, and what is known of them."""

    def __init__(self, prompts: Sequence[Prompt], shape: tuple[int, int]) -> None:
        self.loss, self.kl, self.kept = np.zeros((3, len(prompts), *shape))
        self.states = np.full(shape, _WAITING, np.uint8)
        self.plain_loss = np.zeros(len(prompts))
        self.positions = np.array([len(prompt.token_ids) for prompt in prompts])


def run(model: LiveModel, request: LayerRobustnessRequest) -> Steps[Grid]:
    """Run the model with every edit of every layer.

    Returns:
        A grid `[edit, layer]`; of several prompts `[prompt, edit, layer]`, their mean first. What
        is cancelled keeps the layers that are done.

    Raises:
        PromptError: A prompt cannot be run, or none has two tokens.
        RequestError: It needs more memory than is free.
    """
    prompts = [model.tokenize(prompt) for prompt in (request.prompt, *request.more)]
    longest = max(len(prompt.token_ids) for prompt in prompts)
    if longest < 2:
        raise PromptError("The loss needs a next token.", "Use a prompt of two tokens or more.")
    tokens = sum(len(prompt.token_ids) for prompt in prompts)
    need = Counter({model.device: 4 * FLOAT32 * longest * model.d_vocab})
    need["cpu"] += FLOAT32 * tokens * model.d_vocab  # what each prompt's runs are compared with
    need[model.device] += recorded_bytes(model.bridge, 1, tokens, 0, gradient=False)
    refuse_if_too_large(need, f"Comparing {tokens} tokens")
    yield Step(0.0, "Running the model")
    user_hooks = model.user_hooks()
    shape = (len(_EDITS), model.n_layers)
    sums = _Sums(prompts, shape)
    nothing = plan(model, Interventions())
    baselines, plain = [], []
    for i, prompt in enumerate(prompts):
        baselines.append(Baseline(model, prompt.token_ids))
        every = range(len(prompt.token_ids))
        plain.append(baselines[-1].run(nothing, every).logits.log_softmax(-1).cpu())
        sums.plain_loss[i] = _loss(plain[-1], prompt)
        yield Step(0.05 * len(plain) / len(prompts), "Running the model")
    done, total = 0, len(_EDITS) * model.n_layers * len(prompts)
    for layer in range(model.n_layers):
        for row, (name, edit) in enumerate(_EDITS.items()):
            changed = _planned(model, edit(layer), layer, name)
            sums.states[row, layer] = _NOT_APPLICABLE if changed is None else _EXACT
            for i, (prompt, baseline) in enumerate(zip(prompts, baselines, strict=True)):
                done += 1
                if changed is None:
                    continue
                after = baseline.run(changed, range(len(prompt.token_ids))).logits
                _count(sums, (i, row, layer), plain[i], after.log_softmax(-1).cpu(), prompt)
                yield Step(0.05 + 0.95 * done / total, f"Layer {layer}, {name}")
        yield Step(
            0.05 + 0.95 * done / total,
            f"Layer {layer}",
            _grid(model, prompts, sums, user_hooks, plain[0]),
        )
    return _grid(model, prompts, sums, user_hooks, plain[0])


def _planned(model: LiveModel, edit: Interventions, layer: int, name: str) -> Plan | None:
    """None where there is no such edit: no next layer, one of another type, or no MLP."""
    last = layer + 1 == model.n_layers
    swaps = name == "swapped with next" and (last or not same_type(model, layer, layer + 1))
    if swaps or (name == "without MLP" and not model.layout.mlps):
        return None
    return plan(model, edit)


def _count(
    sums: _Sums,
    at: tuple[int, int, int],
    before: torch.Tensor,
    after: torch.Tensor,
    prompt: Prompt,
) -> None:
    sums.loss[at] = _loss(after, prompt)
    sums.kl[at] = float((before.exp() * (before - after)).sum())
    sums.kept[at] = int((before.argmax(-1) == after.argmax(-1)).sum())


def _means(sums: npt.NDArray[np.float64], counts: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Over the tokens of each prompt; where there are several, over all tokens first."""
    if len(counts) > 1:
        sums, counts = np.r_[sums.sum(0)[None], sums], np.r_[counts.sum(), counts]
    counted = np.where(counts > 0, counts, np.nan)  # a prompt of one token has no loss
    means = sums / counted.reshape(-1, *[1] * (sums.ndim - 1))
    return means if len(counts) > 1 else means[0]


def _loss(log_probs: torch.Tensor, prompt: Prompt) -> float:
    """Summed over all tokens but the first."""
    targets = torch.tensor(prompt.token_ids[1:])
    return -float(log_probs[:-1].gather(1, targets[:, None]).sum())


def _grid(
    model: LiveModel,
    prompts: Sequence[Prompt],
    sums: _Sums,
    user_hooks: Sequence[str],
    plain: torch.Tensor,
) -> Grid:
    known = np.where(sums.states == _EXACT, 1.0, np.nan)
    predicted = sums.positions - 1
    change = _means(sums.loss - sums.plain_loss[:, None, None], predicted) * known
    divergence = _means(sums.kl, sums.positions) * known
    kept = _means(sums.kept, sums.positions) * known
    several = len(prompts) > 1
    names = (numbered(i, prompt) for i, prompt in enumerate(prompts, 1))
    chooser = (Axis("prompt", (MEAN, *names)),) if several else ()
    many = f" over {len(prompts)} prompts" if several else ""
    layers = tuple(f"L{layer}" for layer in range(model.n_layers))
    return Grid(
        title=f"Layer robustness{many}",
        axes=(
            *chooser,
            Axis("edit", tuple(_EDITS), components=(None, None, "MLP{layer}", None)),
            Axis("layer", layers, selects="layer"),
        ),
        measures=(
            Measure(
                "loss_change", "Loss change", "nats",
                "Mean loss of the next tokens with the edit, less the model's own.",
                change.astype(np.float32), Scale.diverging(change),
            ),
            Measure(
                "kl", "KL divergence", "nats",
                "Mean KL divergence of the changed model's next-token distribution from the "
                "model's own, over all positions.",
                divergence.astype(np.float32), Scale.sequential(divergence),
            ),
            Measure(
                "answers_kept", "Answers kept", "",
                "Share of positions at which the most probable next token stays the same.",
                kept.astype(np.float32), Scale("sequential", 0.0, 1.0, reverse=True),
            ),
        ),
        provenance=model.provenance(
            "layer_robustness",
            prompts,
            {},
            sign="Positive: the loss is higher with the edit, so the layer helped.",
            normalisation="Means over tokens: of all prompts, every token counts the same.",
            user_hooks=user_hooks,
        ),
        states=np.broadcast_to(sums.states, change.shape).copy(),
        baselines=(Term("loss", float(sums.plain_loss.sum() / predicted.sum())),),
        next_tokens=model.next_tokens(plain[-1]),
    )  # fmt: skip
