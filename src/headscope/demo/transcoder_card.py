"""How faithful the embedded model's transcoders are, as `card.json` and `README.md`.

Everything is measured on sentences that were not drawn for training, in float32. With all MLPs
replaced, each writes what its transcoder makes of what it reads; the beginning of a row, which is
the same in every prompt, is left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo import prompts, state_features, transcoder_graphs
from headscope.demo.corpus import sentences
from headscope.demo.evaluate import load_weights, measure
from headscope.demo.train_transcoders import ACTIVE
from headscope.model.dictionaries import LayerTranscoder, Transcoders, load_transcoders

_TEXTS, _SEED = 1000, 1_000_003
_AIM = 0.8


def held_out_text(tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """Sentences of a seed of their own, one to a row, ids `[row, position]`; 0 begins and pads."""
    drawn = sentences(np.random.default_rng(_SEED))
    rows = [[0, *tokenizer(next(drawn).text)["input_ids"]] for _ in range(_TEXTS)]
    return nn.utils.rnn.pad_sequence(list(map(torch.tensor, rows)), batch_first=True)


@contextmanager
def replaced(model: GPT2LMHeadModel, transcoders: Transcoders) -> Iterator[None]:
    """All MLPs write what their transcoders say, but for the first position."""

    def replace(layer: LayerTranscoder) -> Any:
        def hook(_: object, arguments: tuple[Tensor, ...], out: Tensor) -> Tensor:
            x = arguments[0].flatten(0, 1)
            written = transcoders.written(layer.layer, {layer.layer: layer.encode(x)}, x)
            return torch.cat([out[:, :1], written.view_as(out)[:, 1:]], 1)

        return hook

    with _hooked(model, [replace(layer) for layer in transcoders]):
        yield


@contextmanager
def _hooked(model: GPT2LMHeadModel, hooks: Sequence[Any]) -> Iterator[None]:
    network: Any = model.transformer
    with ExitStack() as stack:
        for block, hook in zip(network.h, hooks, strict=True):
            stack.callback(block.mlp.register_forward_hook(hook).remove)
        yield


def cross_entropy(model: GPT2LMHeadModel, ids: Tensor) -> float:
    """Mean over all tokens but the first of each row, in nats."""
    targets = ids[:, 1:].where(ids[:, 1:] != 0, -100)
    logits = model(ids, attention_mask=torch.ones_like(ids)).logits[:, :-1]
    return float(nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()))


@torch.no_grad()
def per_layer(
    model: GPT2LMHeadModel, transcoders: Transcoders, ids: Tensor
) -> tuple[list[dict[str, float]], list[Tensor]]:
    """What each layer's features are like on text, and the mean of what its MLP writes."""
    counts = ids != 0
    found: list[dict[str, float]] = []
    means: list[Tensor] = []

    def look(layer: LayerTranscoder) -> Any:
        def hook(_: object, arguments: tuple[Tensor, ...], out: Tensor) -> None:
            x, y = arguments[0][counts], out[counts]
            active = layer.encode(x)
            missed = (y - transcoders.written(layer.layer, {layer.layer: active}, x)).square()
            spread = (y - y.mean(0)).square()
            means.append(y.mean(0))
            found.append({
                "active": round(float((active > 0).sum(1).float().mean()), 1),
                "alive": int((active > 0).any(0).sum()),
                "variance_explained": round(1 - float(missed.sum() / spread.sum()), 3),
                "error_per_token": round(float((missed.sum(1) / y.square().sum(1)).median()), 3),
            })  # fmt: skip

        return hook

    with _hooked(model, [look(layer) for layer in transcoders]):
        model(ids, attention_mask=torch.ones_like(ids))
    return found, means


@torch.no_grad()
def find(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, transcoders: Transcoders
) -> dict[str, Any]:
    """Everything that the card says: plain numbers."""
    ids = held_out_text(tokenizer)
    layers, means = per_layer(model, transcoders, ids)
    entropy = {"model": cross_entropy(model, ids)}
    with replaced(model, transcoders):
        entropy["replaced"] = cross_entropy(model, ids)
        tasks = {name: score.accuracy for name, score in measure(model, tokenizer).items()}
    ablations = [lambda _, __, out, mean=mean: mean.expand_as(out) for mean in means]
    with _hooked(model, ablations):
        entropy["mean_ablated"] = cross_entropy(model, ids)
    return {
        "k": ACTIVE,
        "features": transcoders[0].n_features,
        "layers": layers,
        "cross_entropy": {name: round(value, 3) for name, value in entropy.items()},
        "tasks": tasks,
        "states": state_features.measure(model, tokenizer, transcoders),
        "graphs": transcoder_graphs.measure(transcoders),
    }


_TEXT = """\
# The embedded model's transcoders

One TopK transcoder per layer (at most {k} of {n_features} features at a token), which reads what \
the MLP reads and writes what it writes: `hs.load_demo_transcoders()`. float16, in \
circuit-tracer's format.

    {command}

trains them again from the seed: {cpu_seconds:,} CPU seconds on one thread. Another processor or \
torch version rounds differently and gives other features.

## How faithful they are
On {texts:,} sentences of a seed of their own, in float32; the beginning of each row is left out.

| layer | active per token | features ever active | variance explained | median error per token |
|---|---|---|---|---|
{rows}

The last column is |missed|^2 / |written|^2 of a token. Cross-entropy per token: {model} nats; \
with all MLPs replaced by their transcoders {replaced}; with all MLPs mean-ablated {ablated}. \
Accuracy on the model card's tasks with all MLPs replaced:

| task | all MLPs replaced |
|---|---|
{tasks}

Not carried over (under {aim}): {lost}. Repeated random words are a small \
share of the training text.

Scores of whole attribution graphs (nothing pruned), one shown prompt per task; the higher, the \
less goes through what the transcoders miss:

| task | replacement score | completeness score |
|---|---|---|
{scores}

## The state between city and capital
At the city of "The capital of the state containing Dallas is", features of layers 0, 1, 2 detect \
{detected} of the 50 states: they are active at that state's cities alone (F1 of at least \
{detects}). Texas is detected by {detectors}.

They are there, but the answer hardly hangs on them: the embedding of a city is already near its \
state's, and attention carries that past the MLPs (the model card patches them). In the graph of \
"{prompt}", of the {all} that all sources give logit({answer}) - logit({wrong}) directly, the \
city's token gives {city_token} and all features at the city {city_features}. So they must be \
set to a multiple of what they usually are before the answer follows. Below, the {per_layer} \
features of each of these layers that are most a state's own (Texas: {features}) are set to 0 for \
the city's state and to a multiple of their mean for another state, in the prompts of all 250 \
cities:

| multiple | own capital | the other state's capital | logit(other) - logit(own) |
|---|---|---|---|
{steering}
"""


def describe(card: dict[str, Any]) -> str:
    """The card for people."""
    entropy, found = card["cross_entropy"], card["states"]
    rows = "\n".join(
        f"| {number} | {of['active']} | {of['alive']} | {of['variance_explained']} "
        f"| {of['error_per_token']} |"
        for number, of in enumerate(card["layers"])
    )
    steering = "\n".join(
        f"| {factor} | {of['own_capital']:.2f} | {of['other_capital']:.2f} "
        f"| {of['logit_difference']:.1f} |"
        for factor, of in found["steering"].items()
    )
    pair, chain = prompts["two_hop"][0], card["graphs"]["two_hop"]
    return _TEXT.format(
        scores="\n".join(
            f"| {task} | {of['replacement']:.3f} | {of['completeness']:.3f} |"
            for task, of in card["graphs"]["scores"].items()
        ),
        prompt=pair.clean,
        answer=pair.answer.strip(),
        wrong=pair.wrong.strip(),
        aim=_AIM,
        lost=", ".join(name for name, accuracy in card["tasks"].items() if accuracy < _AIM),
        **chain,
        k=card["k"],
        n_features=card["features"],
        command=card["command"],
        cpu_seconds=card["cpu_seconds"],
        texts=_TEXTS,
        rows=rows,
        model=entropy["model"],
        replaced=entropy["replaced"],
        ablated=entropy["mean_ablated"],
        tasks="\n".join(f"| {name} | {accuracy:.3f} |" for name, accuracy in card["tasks"].items()),
        detected=", ".join(map(str, found["detected"])),
        detects=state_features.DETECTS,
        detectors=", ".join(found["Texas"]["detectors"]) or "none",
        features=", ".join(found["Texas"]["features"]),
        per_layer=state_features.FEATURES,
        steering=steering,
    )


def write_card(folder: Path, *, command: str, cpu_seconds: int) -> None:
    """Measure the transcoders in `folder` and write `card.json` and `README.md` beside them."""
    found = find(*load_weights(), load_transcoders(folder))
    card = {"command": command, "cpu_seconds": cpu_seconds, **found}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(describe(card), encoding="utf-8")
