"""Train the embedded model's transcoders: `python -m headscope.demo.train_transcoders`.

One TopK transcoder per layer learns, from what its MLP reads, what the MLP writes (Dunefsky et al.
2024; Gao et al. 2024). All layers learn at once, on text that is new in every step: sentences one
to a row and several to a row, and random words that are repeated. The beginning of a row is left
out: it is the same in every prompt.

- Decoder rows have length 1, so an activation is the length of what its feature writes.
- The loss is the squared error relative to what the MLP writes at that token: else a few kinds of
  tokens at which it writes much would take all features.
- A third of the rows are sentences about a city: the features of states are to be clean.
- A feature that has been idle for long learns what the others miss (the auxiliary loss of Gao et
  al.), so that few are dead in the end.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from headscope.demo import TRANSCODERS_DIR
from headscope.demo.evaluate import load_weights
from headscope.demo.train import LONGEST_REPEAT, ROW, Batches
from headscope.demo.world import state_of

FEATURES, ACTIVE = 768, 16
ROWS, SINGLE_ROWS, CITY_ROWS, REPEAT_ROWS = 24, 32, 56, 4
BATCH = 1024
RATE = 2e-3
IDLE = 200
"""Steps without activation after which a feature counts as idle."""
IDLE_ACTIVE, IDLE_WEIGHT = 32, 1 / 32


class Transcoder(nn.Module):
    """One layer's transcoder in training; shapes as in `LayerTranscoder`, one target.

    Args:
        width: Of what it reads and writes.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        rows = nn.functional.normalize(torch.randn(FEATURES, width), dim=1)
        self.w_dec = nn.Parameter(rows)
        self.w_enc = nn.Parameter(nn.functional.normalize(torch.randn(FEATURES, width), dim=1))
        self.b_enc = nn.Parameter(torch.zeros(FEATURES))
        self.b_dec = nn.Parameter(torch.zeros(width))
        self.idle = torch.zeros(FEATURES, dtype=torch.long)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Share of y `[n, d_model]` that is missed, tokens weighted, with the idle ones' part."""
        pre = torch.addmm(self.b_enc, x, self.w_enc.T)
        top = pre.topk(ACTIVE, dim=1)
        missed = y - self.b_dec - self._decode(top.values, top.indices)
        size = (y - y.mean(0)).square().sum(1)
        weight = 1 / (size + size.median() / 4)
        weight = weight / (weight * size).sum()
        loss = (weight * missed.square().sum(1)).sum()
        self.idle += 1
        self.idle[top.indices[top.values > 0]] = 0
        idle = (self.idle > IDLE).nonzero()[:, 0]
        if len(idle) >= IDLE_ACTIVE:
            again = pre[:, idle].topk(IDLE_ACTIVE, dim=1)
            left = missed.detach() - self._decode(again.values, idle[again.indices])
            loss = loss + IDLE_WEIGHT * (weight * left.square().sum(1)).sum()
        return loss

    def _decode(self, values: Tensor, features: Tensor) -> Tensor:
        """What active features write, `[n, d_model]`; values and features are `[n, k]`."""
        return nn.functional.embedding_bag(
            features, self.w_dec, per_sample_weights=values.relu(), mode="sum"
        )

    @torch.no_grad()
    def constrain(self) -> None:
        """Decoder rows of length 1."""
        self.w_dec.copy_(nn.functional.normalize(self.w_dec, dim=1))


class Texts:
    """Training text: ids `[row, position]` and which positions count.

    Args:
        seed: What it is drawn from.
    """

    def __init__(self, seed: int) -> None:
        self.batches = Batches(np.random.default_rng(seed), longest=LONGEST_REPEAT)
        self._cities = re.compile("|".join(map(re.escape, state_of())))

    def draw(self) -> list[tuple[Tensor, Tensor]]:
        """A step's text: several sentences to a row, one to a row, repeated words."""
        packed, _, _ = self.batches.text(ROWS, ROW)
        repeats, _ = self.batches.repeats(REPEAT_ROWS)
        return [(ids, _counts(ids)) for ids in (packed, self._single(), repeats)]

    def _single(self) -> Tensor:
        drawn = (sentence.text for sentence in self.batches.sentences)
        about_cities = filter(self._cities.search, drawn)
        texts = [*islice(drawn, SINGLE_ROWS), *islice(about_cities, CITY_ROWS)]
        rows = [[0, *self.batches.tokenizer(text)["input_ids"]] for text in texts]
        return nn.utils.rnn.pad_sequence(list(map(torch.tensor, rows)), batch_first=True)


def _counts(ids: Tensor) -> Tensor:
    """All but the row's beginning and its padding, both of which are id 0."""
    return ids != 0


@torch.no_grad()
def mlps(model: GPT2LMHeadModel, ids: Tensor, counts: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What each MLP reads and writes where it counts, `[n, d_model]` both, per layer."""
    network: Any = model.transformer
    seen: list[tuple[Tensor, Tensor]] = []
    handles = [
        block.mlp.register_forward_hook(
            lambda _, arguments, out: seen.append((arguments[0][counts], out[counts]))
        )
        for block in network.h
    ]
    try:
        network(ids, attention_mask=torch.ones_like(ids))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def collect(model: GPT2LMHeadModel, texts: Texts, draws: int) -> list[tuple[Tensor, Tensor]]:
    """Per layer what the MLP reads and writes in `draws` draws of text, float16 `[n, d_model]`."""
    pieces = [
        [(x.half(), y.half()) for x, y in mlps(model, ids, counts)]
        for _ in range(draws)
        for ids, counts in texts.draw()
    ]
    layers = [zip(*layer, strict=True) for layer in zip(*pieces, strict=True)]
    return [(torch.cat(x), torch.cat(y)) for x, y in layers]


def train(x: Tensor, y: Tensor, seed: int, steps: int) -> Transcoder:
    """The transcoder of one layer, from what its MLP reads and writes `[n, d_model]`."""
    torch.manual_seed(seed)
    transcoder = Transcoder(x.shape[1])
    with torch.no_grad():
        transcoder.b_dec.copy_(y.float().mean(0))
    adam = torch.optim.Adam(transcoder.parameters(), lr=RATE, betas=(0.9, 0.99))
    for step in range(steps):
        adam.param_groups[0]["lr"] = RATE * min(1.0, step / 50, 2.5 * (steps - step) / steps)
        rows = torch.randint(len(x), (BATCH,))
        loss = transcoder.loss(x[rows].float(), y[rows].float())
        adam.zero_grad()
        loss.backward()
        adam.step()
        transcoder.constrain()
    return transcoder


CONFIG = f"""\
model_name: headscope demo
model_kind: transcoder_set
feature_input_hook: mlp.hook_in
feature_output_hook: hook_mlp_out
activation: topk
k: {ACTIVE}
"""


def main(arguments: Iterable[str] | None = None) -> int:
    """Train, measure, and write the transcoders in circuit-tracer's format, and their card."""
    from headscope.demo.transcoder_card import write_card

    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m headscope.demo.train_transcoders"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--out", type=Path, default=TRANSCODERS_DIR)
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(1)
    start = time.process_time()
    model, _ = load_weights()
    layers = collect(model, Texts(chosen.seed), chosen.draws)
    chosen.out.mkdir(exist_ok=True)
    for number, (x, y) in enumerate(layers):
        transcoder = train(x, y, chosen.seed, chosen.steps)
        weights = {
            name.replace("w_", "W_"): parameter.detach().half()
            for name, parameter in transcoder.named_parameters()
        }
        save_file(weights, chosen.out / f"layer_{number}.safetensors")
        seconds = time.process_time() - start
        with torch.no_grad():
            missed = float(transcoder.loss(x[:8192].float(), y[:8192].float()))
        sys.stdout.write(f"layer {number}  missed {missed:.4f}  {seconds:.0f} s\n")
        sys.stdout.flush()
    (chosen.out / "config.yaml").write_text(CONFIG, encoding="utf-8")
    write_card(
        chosen.out,
        command=f"python -m headscope.demo.train_transcoders --seed {chosen.seed} "
        f"--steps {chosen.steps} --draws {chosen.draws}",
        cpu_seconds=round(time.process_time() - start),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
