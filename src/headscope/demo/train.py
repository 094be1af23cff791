"""Train the embedded model: `python -m headscope.demo.train --seed 0`.

A four-layer GPT-2 learns the synthetic world of `headscope.demo.corpus` on one CPU thread. What
made the circuits appear within minutes: Muon on the weight matrices (orthogonalised momentum;
Jordan et al. 2024) with Adam for the rest; an unembedding that starts as a copy of the embedding; a
penalty, in training only, on layer-0 attention that goes to neither a token itself, its predecessor
nor the first position, which makes one clean previous-token head; and repeated random tokens whose
length grows as they are mastered, and which pass no gradient to the embedding.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from headscope.demo import MODEL_DIR, corpus, tokenizer
from headscope.demo.card import write_card
from headscope.demo.evaluate import measure

CONTEXT = 256
WIDTH, LAYERS, HEADS = 192, 4, 6
ROW = 32
ROWS, LONG_ROWS, REPEAT_ROWS = 88, 3, 16
LONG_FROM = 0.6
"""Share of the steps after which rows as long as the context join in."""
REPEAT_ROW = 64
LONGEST_REPEAT = 31
MUON_RATE, MOMENTUM = 0.02, 0.95
IGNORE = -100


@dataclass
class Batches:
    """The training data: packed rows of text, and rows of repeated random tokens.

    Args:
        rng: The one source of randomness.
        longest: Longest random sequence that is repeated, so far.
    """

    rng: np.random.Generator
    longest: int = 6

    def __post_init__(self) -> None:
        self.tokenizer = tokenizer.build()
        self.sentences = corpus.sentences(self.rng)
        first_word = 1 + 256
        self.words = np.arange(first_word, len(self.tokenizer))

    def text(self, rows: int, length: int) -> tuple[Tensor, Tensor]:
        """Ids and targets, int64 `[rows, length]`: BOS, then as many whole sentences as fit.

        Short rows matter: among ten names of other sentences the ones that count are not found.
        """
        ids = torch.zeros(rows, length, dtype=torch.long)
        targets = torch.full((rows, length), IGNORE)
        for i in range(rows):
            row = torch.tensor(self._row(length))
            ids[i, : len(row)] = row
            targets[i, : len(row) - 1] = row[1:]
        return ids, targets

    def _row(self, length: int) -> list[int]:
        row = [0]
        while len(row) + len(sentence := self._sentence()) <= length:
            row += sentence
        return row

    def _sentence(self) -> list[int]:
        ids: list[int] = self.tokenizer(next(self.sentences))["input_ids"]
        return ids

    def repeats(self, rows: int) -> tuple[Tensor, Tensor]:
        """Ids and targets, int64 `[rows, t]`; targets only where the pair before has been seen."""
        made = [self._repeat() for _ in range(rows)]
        longest = max(len(row) for row, _ in made)
        ids = torch.zeros(rows, longest, dtype=torch.long)
        targets = torch.full((rows, longest), IGNORE)
        for i, (row, first_again) in enumerate(made):
            ids[i, : len(row)] = torch.tensor(row)
            targets[i, first_again : len(row) - 1] = ids[i, first_again + 1 : len(row)]
        return ids, targets

    def _repeat(self) -> tuple[list[int], int]:
        sequence = self.rng.choice(self.words, int(self.rng.integers(3, self.longest + 1))).tolist()
        if self.rng.random() < 0.6:
            copies = REPEAT_ROW // len(sequence)
            return [0, *sequence * copies], 1 + len(sequence)
        gap = self.rng.choice(self.words, int(self.rng.integers(1, 12))).tolist()
        return [0, *sequence, *gap, *sequence], 1 + len(sequence) + len(gap)


class Muon:
    """Momentum whose update is orthogonalised by five Newton-Schulz steps."""

    def __init__(self, matrices: list[nn.Parameter]) -> None:
        self.matrices = matrices
        self.buffers = [torch.zeros_like(m) for m in matrices]

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Update every matrix; queries, keys and values each by themselves."""
        for matrix, buffer in zip(self.matrices, self.buffers, strict=True):
            if matrix.grad is None:
                continue
            buffer.mul_(MOMENTUM).add_(matrix.grad, alpha=1 - MOMENTUM)
            update = matrix.grad.lerp(buffer, MOMENTUM)
            parts = update.split(WIDTH, 1) if matrix.shape == (WIDTH, 3 * WIDTH) else (update,)
            whole = torch.cat([_orthogonal(part) for part in parts], 1)
            matrix.add_(whole, alpha=-MUON_RATE * scale)


def _orthogonal(update: Tensor) -> Tensor:
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update.bfloat16() / (update.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.mT if tall else x
    # GPT-2's matrices are [in, out].
    wide: Tensor = x.float() * max(1.0, update.shape[1] / update.shape[0]) ** 0.5
    return wide


def new_model(vocabulary: int) -> GPT2LMHeadModel:
    """The untrained network, its unembedding a copy of its embedding, its positions sinusoids."""
    config = GPT2Config(
        vocab_size=vocabulary, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        tie_word_embeddings=False, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    model.set_attn_implementation("eager")  # the fused kernel gives no weights to penalise
    with torch.no_grad():
        model.lm_head.weight.copy_(model.transformer.wte.weight)
        angle = torch.arange(CONTEXT)[:, None] / 10_000 ** (torch.arange(0, WIDTH, 2) / WIDTH)
        waves = torch.stack([angle.sin(), angle.cos()], -1).flatten(1)
        model.transformer.wpe.weight.copy_(0.02 * waves)
    return model


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE
    )


def _stray(attention: Tensor) -> Tensor:
    """Mean attention mass `[batch, head, dest, src]` not on self, predecessor or first position."""
    distance = torch.arange(attention.shape[-2])[:, None] - torch.arange(attention.shape[-1])
    far = distance > 1
    far[:, 0] = False
    return (attention.float() * far).sum(-1).mean()


def train(seed: int, steps: int, embedding_rate: float) -> Iterator[tuple[int, GPT2LMHeadModel]]:
    """Train, yielding the step number and the model after every step."""
    torch.manual_seed(seed)
    batches = Batches(np.random.default_rng(seed))
    model = new_model(len(batches.tokenizer))
    embedding = model.transformer.wte.weight
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and ".h." in n]
    special = {id(p) for p in (*matrices, embedding)}
    others = [p for p in model.parameters() if id(p) not in special]
    muon = Muon(matrices)
    groups: list[dict[str, Any]] = [{"params": [embedding]}, {"params": others}]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.98))
    running = 7.0
    for step in range(1, steps + 1):
        scale = min(step / 30, 1.0, max(0.02, (1 - step / steps) / 0.4))
        adam.param_groups[0]["lr"] = 4e-3 * scale * embedding_rate
        adam.param_groups[1]["lr"] = 4e-3 * scale
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            ids, targets = batches.text(ROWS, ROW)
            out = model(ids, output_attentions=True)
            loss = _loss(out.logits, targets) + 0.3 * _stray(out.attentions[0])
            if step > LONG_FROM * steps and step % 4 == 0:
                ids, targets = batches.text(LONG_ROWS, CONTEXT)
                loss = loss + 0.25 * _loss(model(ids).logits, targets)
            ids, targets = batches.repeats(REPEAT_ROWS)
            # No gradient to the (un)embedding: its rarely seen rows would drown in it.
            hidden = model.transformer(inputs_embeds=embedding[ids].detach()).last_hidden_state
            repeat = _loss(hidden @ model.lm_head.weight.detach().T, targets)
            loss = loss + 0.3 * repeat
        loss.backward()
        muon.step(scale)
        adam.step()
        running = 0.95 * running + 0.05 * float(repeat.detach())
        if running < 1.6 and batches.longest < LONGEST_REPEAT:
            batches.longest += 1
        yield step, model


def main(arguments: Iterable[str] | None = None) -> int:
    """Train, measure, and write the weights, the tokenizer and the card."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m headscope.demo.train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--embedding-rate", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=MODEL_DIR)
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(1)
    start = time.process_time()
    words = tokenizer.build()
    for step, model in train(chosen.seed, chosen.steps, chosen.embedding_rate):
        if step % 100 == 0:
            model.eval()
            scores = measure(model, words, cases=40)
            model.train()
            line = "  ".join(f"{name} {task.accuracy:.2f}" for name, task in scores.items())
            sys.stdout.write(f"step {step}  {time.process_time() - start:.0f} s  {line}\n")
            sys.stdout.flush()
    model.eval().half().save_pretrained(chosen.out)
    words.save_pretrained(chosen.out)
    write_card(
        chosen.out,
        command=f"python -m headscope.demo.train --seed {chosen.seed} --steps {chosen.steps} "
        f"--embedding-rate {chosen.embedding_rate:g}",
        cpu_seconds=round(time.process_time() - start),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
