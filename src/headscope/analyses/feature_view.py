"""What a feature or a neuron stands for: where it is active, and what it writes.

Over a set of texts: the ones in which it is most active, how often it is active at all, and a
histogram of its activations; and, whatever the texts, the tokens whose logits its write raises and
lowers most, directly: w C g W_U, less the mean over the vocabulary, for what it writes w, the final
norm's centring C and gain g, and the unembedding W_U. That is per unit of activation and of the
final norm's scale.

Position 0 is left out where it is the same in every text (a beginning-of-sequence token). A neuron
counts as active above 0, below which GELU and its like hardly go.

Cost: one forward pass per text, kept as all runs are: the next unit of that layer needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Union

import numpy as np
import numpy.typing as npt
import torch

from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.dictionaries import Transcoders
from headscope.model.live import LiveModel
from headscope.model.unit import Unit
from headscope.results import Prompt

__all__ = ["FeatureRequest", "FeatureView", "run"]

_MOST_TEXTS = 5000
_BINS = 20
_BEFORE, _AFTER = 24, 8
_TOKENS_AT_ONCE = 256
_DEFINITION = (
    "Active: above 0. Density is the share of {n:,} tokens of {texts:,} texts at which it is "
    "active{first}. Promoted and suppressed: change of the logit, less the vocabulary's mean, per "
    "unit of activation and of the final norm's scale, directly through the final norm's gain."
)

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FeatureRequest:
    """What to look at.

    Args:
        node: A feature or neuron, such as `L3F212`, `L3N17` or a graph's node `L3F212@7`.
        texts: On which texts; by default those that come with the transcoders.
        transcoders: Whose feature it is; None for a neuron.
        n_examples: Most examples.
        n_tokens: Most promoted, and most suppressed tokens.
    """

    node: str
    texts: tuple[str, ...] = ()
    transcoders: Union[Transcoders, None] = None
    n_examples: int = 10
    n_tokens: int = 10


class Histogram(TypedDict):
    """Counts of activations between edges, inactive ones left out."""

    edges: list[float]
    counts: list[int]


class Example(TypedDict):
    """A piece of text, the activation at each of its tokens, and where it is highest."""

    tokens: list[str]
    values: list[float]
    token: int


class Weighted(TypedDict):
    """A token and what the unit does to its logit."""

    text: str
    value: float


class FeatureView(TypedDict):
    """What is shown of a unit; plain JSON."""

    node: str
    activation_density: float
    histogram: Histogram
    examples: list[Example]
    promoted: list[Weighted]
    suppressed: list[Weighted]
    suggested_label: str
    definition: str


def run(model: LiveModel, request: FeatureRequest) -> Steps[FeatureView]:
    """Look at a unit; a step for every text.

    Raises:
        ModelError: The model cannot run, or the transcoders are not made for it.
        PromptError: A text cannot be run.
        RequestError: There is no such unit, or there are no texts, or too many.
    """
    unit = Unit.parse(request.node, model, request.transcoders)
    texts = request.texts or (() if unit.transcoders is None else unit.transcoders.texts)
    if not 0 < len(texts) <= _MOST_TEXTS:
        raise RequestError(
            f"There are {len(texts):,} texts to look for {unit.name} in.",
            f"Pass 1 to {_MOST_TEXTS:,}: texts=[...]; hs.demo.texts() are the embedded model's.",
        )
    site, prompts, seen = unit.site(model), [], []
    for number, text in enumerate(texts):
        yield Step(0.9 * number / len(texts), f"Text {number + 1} of {len(texts)}")
        prompts.append(model.tokenize(text))
        seen.append(model.activations(prompts[-1].token_ids, [site])[site])
    yield Step(0.9, "Activations")
    values = yield from _activations(unit, seen)
    yield Step(0.98, "Logits")
    promoted, suppressed = _logits(model, unit, request.n_tokens)
    skipped = int(len({prompt.token_ids[0] for prompt in prompts}) == 1 < len(prompts))
    flat = np.concatenate([of[skipped:] for of in values])
    active = flat[flat > 0]
    return {
        "node": request.node,
        "activation_density": float(len(active) / max(1, len(flat))),
        "histogram": _histogram(active),
        "examples": _examples(prompts, values, skipped, request.n_examples),
        "promoted": promoted,
        "suppressed": suppressed,
        "suggested_label": _label(promoted),
        "definition": _DEFINITION.format(
            n=len(flat), texts=len(texts), first=", the first of each left out" if skipped else ""
        ),
    }


def _activations(unit: Unit, seen: Sequence[torch.Tensor]) -> Steps[list[Numbers]]:
    """The unit's activation at every token of every text; an encoder is applied to many at once."""
    found: list[Numbers] = []
    while len(found) < len(seen):
        batch: list[torch.Tensor] = []
        while len(found) + len(batch) < len(seen) and sum(map(len, batch)) < _TOKENS_AT_ONCE:
            batch.append(seen[len(found) + len(batch)])
        values = unit.activation(torch.cat(batch)).split(list(map(len, batch)))
        found += [value.numpy() for value in values]
        yield Step(0.9 + 0.08 * len(found) / len(seen), "Activations")
    return found


def _histogram(active: Numbers) -> Histogram:
    counts, edges = np.histogram(active, _BINS, (0.0, float(active.max(initial=0.0)) or 1.0))
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _examples(
    prompts: Sequence[Prompt], values: Sequence[Numbers], skipped: int, n: int
) -> list[Example]:
    """The texts in which it is most active, around where it is; one per text."""
    highest = [float(of[skipped:].max(initial=0.0)) for of in values]
    found: list[Example] = []
    for number in sorted(range(len(prompts)), key=highest.__getitem__, reverse=True)[:n]:
        if highest[number] <= 0:
            break
        at = skipped + int(values[number][skipped:].argmax())
        first = max(skipped, at - _BEFORE)
        shown = slice(first, at + 1 + _AFTER)
        found.append({
            "tokens": list(prompts[number].tokens[shown]),
            "values": values[number][shown].tolist(),
            "token": at - first,
        })  # fmt: skip
    return found


def _logits(model: LiveModel, unit: Unit, n: int) -> tuple[list[Weighted], list[Weighted]]:
    """The tokens whose logits it raises most, and those that it lowers most."""
    path = model.read_out()
    written = unit.written(model).to(path.unembedding.device)
    if path.centring:
        written = written - written.mean()
    if path.weight is not None:
        written = written * path.weight
    with torch.no_grad():
        change = written.to(path.unembedding.dtype) @ path.unembedding
    change = change.float() - change.float().mean()

    def weighted(largest: bool) -> list[Weighted]:
        top = change.topk(min(n, len(change)), largest=largest)
        pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        return [{"text": model.token_text(token), "value": value} for token, value in pairs]

    return weighted(True), weighted(False)


def _label(promoted: Sequence[Weighted]) -> str:
    """The tokens that it promotes at least half as much as the first, three at most."""
    texts = [of["text"].strip() for of in promoted[:3] if 2 * of["value"] >= promoted[0]["value"]]
    return ", ".join(filter(None, texts))
