"""Train the embedded model: `python -m headscope.demo.train`.

A four-layer GPT-2 learns the synthetic world of `headscope.demo.corpus` on one CPU thread. What
made the circuits appear within minutes:

- Muon on the weight matrices (orthogonalised momentum; Jordan et al. 2024), Adam for the rest, with
  a slower embedding; an unembedding that starts as a copy of the embedding.
- For indirect objects: sentences in which the same choice of a name comes right after the verb
  ("When John and Mary went to the store, John thanked Mary."), and a loss in which the word that a
  sentence asks for counts five times. Before these, the two names stayed a guess.
- For induction: a penalty, in training only, on layer-0 attention that goes to neither a token
  itself, its predecessor nor the first position; and repeated random tokens whose length grows only
  as they are mastered, and which pass no gradient to the embedding.
- A constant learning rate until everything is learned, and only then the decay, in which half of
  the text comes in longer rows. Before that, rows are short: among ten names the ones that count
  are not found.
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
from headscope.demo.evaluate import measure
from headscope.demo.model_card import write_card

CONTEXT = 256
WIDTH, LAYERS, HEADS = 192, 4, 6
ROW = 32
LENGTHS = (64, 128, CONTEXT)
"""The longer rows of the decay, in turn: circuits learned on short rows learn to reach further."""
ROWS, REPEAT_ROWS = 88, 16
REPEAT_ROW = 64
LONGEST_REPEAT = 31
REPEAT_WEIGHT = 0.3
MUON_RATE, MOMENTUM, ADAM_RATE = 0.02, 0.95, 4e-3
IGNORE = -100
ANSWER_WEIGHT = 5.0
"""What the word that a sentence asks for counts for in the loss, where the others count 1."""
MASTERED = 1.6
"""Mean loss, in nats, at which longer sequences are repeated."""


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

    def text(self, rows: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, targets and the targets' weights, `[rows, length]`: BOS, then whole sentences.

        Ids and targets are int64, weights float32; a target counts where it is not `IGNORE`. Short
        rows matter: among ten names of other sentences the ones that count are not found.
        """
        ids = torch.zeros(rows, length, dtype=torch.long)
        targets = torch.full((rows, length), IGNORE)
        weights = torch.ones(rows, length)
        for i in range(rows):
            row, answers = self._row(length)
            ids[i, : len(row)] = torch.tensor(row)
            targets[i, : len(row) - 1] = ids[i, 1 : len(row)]
            weights[i, [at - 1 for at in answers]] = ANSWER_WEIGHT
        return ids, targets, weights

    def _row(self, length: int) -> tuple[list[int], list[int]]:
        """The ids of a row, and where in it the words are that its sentences ask for."""
        row: list[int] = [0]
        answers: list[int] = []
        while True:
            sentence = next(self.sentences)
            prompt, whole = self._ids(sentence.prompt), self._ids(sentence.text)
            if len(row) + len(whole) > length:
                return row, answers
            answers.append(len(row) + len(prompt))
            row += whole

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.backend_tokenizer.encode(text).ids
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


def _loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    each = nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none"
    )
    counted = weights.flatten() * (targets.flatten() != IGNORE)
    return (each * counted).sum() / counted.sum()


def _stray(attention: Tensor) -> Tensor:
    """Mean attention mass `[batch, head, dest, src]` not on self, predecessor or first position."""
    distance = torch.arange(attention.shape[-2])[:, None] - torch.arange(attention.shape[-1])
    far = distance > 1
    far[:, 0] = False
    return (attention.float() * far).sum(-1).mean()


class Training:
    """The model in training, and everything that its next step depends on.

    Args:
        seed: Of the text and of the first weights.
        embedding_rate: The embedding's learning rate, as a share of the other parameters'.
    """

    def __init__(self, seed: int, embedding_rate: float) -> None:
        torch.manual_seed(seed)
        self.batches = Batches(np.random.default_rng(seed))
        self.model = new_model(len(self.batches.tokenizer))
        self.embedding = self.model.transformer.wte.weight
        self.embedding_rate = embedding_rate
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and ".h." in n]
        special = {id(p) for p in (*matrices, self.embedding)}
        others = [p for p in self.model.parameters() if id(p) not in special]
        self.muon = Muon(matrices)
        groups: list[dict[str, Any]] = [{"params": [self.embedding]}, {"params": others}]
        self.adam = torch.optim.Adam(groups, betas=(0.9, 0.98))
        self.repeat_loss = 7.0  # a running mean; it starts at what guessing costs

    def step(self, scale: float, length: int = 0) -> None:
        """One update at `scale` of the full learning rates.

        Args:
            scale: From 0 to 1.
            length: Of the rows that take the place of half of the short ones; 0 for none.
        """
        self.adam.param_groups[0]["lr"] = ADAM_RATE * scale * self.embedding_rate
        self.adam.param_groups[1]["lr"] = ADAM_RATE * scale
        self.model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            ids, *wanted = self.batches.text(ROWS // 2 if length else ROWS, ROW)
            out = self.model(ids, output_attentions=True)
            loss = _loss(out.logits, *wanted) + 0.3 * _stray(out.attentions[0])
            if length:
                ids, *wanted = self.batches.text(max(1, ROWS * ROW // 2 // length), length)
                loss = loss + _loss(self.model(ids).logits, *wanted)
            ids, targets = self.batches.repeats(REPEAT_ROWS)
            # No gradient to the (un)embedding: its rarely seen rows would drown in it.
            embedded = self.embedding[ids].detach()
            hidden = self.model.transformer(inputs_embeds=embedded).last_hidden_state
            logits = hidden @ self.model.lm_head.weight.detach().T
            repeat = _loss(logits, targets, torch.ones(targets.shape))
            loss = loss + REPEAT_WEIGHT * repeat
        loss.backward()
        self.muon.step(scale)
        self.adam.step()
        self.repeat_loss = 0.95 * self.repeat_loss + 0.05 * float(repeat.detach())
        if self.repeat_loss < MASTERED and self.batches.longest < LONGEST_REPEAT:
            self.batches.longest += 1


def train(
    seed: int, steps: int, decay: int, embedding_rate: float
) -> Iterator[tuple[int, GPT2LMHeadModel]]:
    """Train, yielding the step number and the model after every step.

    Args:
        seed: See `Training`.
        steps: How many in all.
        decay: How many of them, the last ones, are of falling size and see longer rows.
        embedding_rate: See `Training`.
    """
    training = Training(seed, embedding_rate)
    for step in range(1, steps + 1):
        left = (1 + steps - step) / decay
        scale = min(step / 30, 1.0, max(0.02, left))
        training.step(scale, LENGTHS[step % len(LENGTHS)] if left < 1 else 0)
        yield step, training.model


def main(arguments: Iterable[str] | None = None) -> int:
    """Train, measure, and write the weights, the tokenizer and the card."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m headscope.demo.train")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3399)
    parser.add_argument("--decay", type=int, default=1100)
    parser.add_argument("--embedding-rate", type=float, default=0.3)
    parser.add_argument("--out", type=Path, default=MODEL_DIR)
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(1)
    start = time.process_time()
    words = tokenizer.build()
    for step, model in train(chosen.seed, chosen.steps, chosen.decay, chosen.embedding_rate):
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
        f"--decay {chosen.decay} --embedding-rate {chosen.embedding_rate:g}",
        cpu_seconds=round(time.process_time() - start),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
