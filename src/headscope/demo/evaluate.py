"""Measure the embedded model on held-out prompts: `python -m headscope.demo.evaluate` shows it.

A case counts as right if the answer is the most probable of all tokens (for greater-than: if the
most probable token is any later year). The logit difference is logit(answer) - logit(wrong); for
greater-than, the log-odds of all later against all other years.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo import MODEL_DIR, corpus, words
from headscope.demo.language import DRAW, Case, held_out_cases

CASES = 250
INDUCTION_LENGTHS = (25, 100)


@dataclass(frozen=True)
class Score:
    """How a task is done.

    Args:
        accuracy: Share of cases answered right, over the full vocabulary.
        logit_difference: Mean over the cases; the module docstring says of what.
        cases: How many.
    """

    accuracy: float
    logit_difference: float
    cases: int


def load_weights(folder: Path = MODEL_DIR) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast]:
    """The shipped network and tokenizer, float32, through transformers alone."""
    model = GPT2LMHeadModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval(), PreTrainedTokenizerFast.from_pretrained(folder)


def token(tokenizer: PreTrainedTokenizerFast, word: str) -> int:
    """The id of the one token that `word` is; a two-digit year is read as after a century."""
    return int(tokenizer(f"11{word}" if word in words.YEARS else word)["input_ids"][-1])


def _last_logits(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]
) -> Tensor:
    """Logits `[prompt, vocabulary]` after each prompt."""
    rows = [[0, *tokenizer(p)["input_ids"]] for p in prompts]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    # Causal attention: the padding on the right is never seen by the position that is read.
    logits = model(ids, attention_mask=torch.ones_like(ids)).logits.float()
    last = torch.tensor([len(row) - 1 for row in rows])
    picked: Tensor = logits[torch.arange(len(rows)), last]
    return picked


@torch.no_grad()
def measure(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, cases: int = CASES
) -> dict[str, Score]:
    """Every task's score on up to `cases` held-out cases, the same at every call."""
    scores = {}
    for task in DRAW:
        drawn = list(islice(held_out_cases(task, np.random.default_rng(7)), cases))
        logits = _last_logits(model, tokenizer, [case.prompt for case in drawn])
        grade = _later_year if task == "greater_than" else _answer
        graded = [grade(row, case, tokenizer) for row, case in zip(logits, drawn, strict=True)]
        right, difference = np.array(graded).mean(0).tolist()
        scores[task] = Score(round(right, 4), round(difference, 2), len(drawn))
    for length in INDUCTION_LENGTHS:
        ids = repeated(len(tokenizer), length)
        scores[f"induction_{length}"] = induction_score(model(ids).logits, ids)
    return scores


def _answer(logits: Tensor, case: Case, tokenizer: PreTrainedTokenizerFast) -> tuple[float, float]:
    answer, wrong = token(tokenizer, case.answer), token(tokenizer, case.wrong)
    return float(logits.argmax() == answer), float(logits[answer] - logits[wrong])


def _later_year(
    logits: Tensor, case: Case, tokenizer: PreTrainedTokenizerFast
) -> tuple[float, float]:
    years = torch.tensor([token(tokenizer, year) for year in words.YEARS])
    first = len(words.YEARS) - len(case.legal)
    odds = logits[years[first:]].logsumexp(0) - logits[years[:first]].logsumexp(0)
    return float(logits.argmax() in years[first:]), float(odds)


def repeated(vocabulary: int, length: int, rows: int = 20) -> Tensor:
    """Ids `[rows, 1 + 2 * length]`: BOS, then random words twice."""
    drawn = np.random.default_rng(length).integers(257, vocabulary, (rows, length))
    sequence = torch.tensor(drawn)
    return torch.cat([torch.zeros(rows, 1, dtype=torch.long), sequence, sequence], 1)


def induction_score(logits: Tensor, ids: Tensor) -> Score:
    """How well the second half of `repeated` words is foretold, against the word a place earlier.

    Args:
        logits: `[row, position, vocabulary]`.
        ids: Those that gave the logits, `[row, 1 + 2 * length]`.
    """
    again = ids.shape[1] // 2 + 1
    asked = logits[:, again:-1].float()
    answer, wrong = ids[:, again + 1 :, None], ids[:, again:-1, None]
    right = (asked.argmax(-1, keepdim=True) == answer).float().mean()
    difference = (asked.gather(-1, answer) - asked.gather(-1, wrong)).mean()
    return Score(round(float(right), 4), round(float(difference), 2), answer.numel())


@torch.no_grad()
def measure_after(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, tokens: int, cases: int = 10
) -> float:
    """Share of held-out cases of all tasks answered right after other sentences.

    Args:
        model: The network.
        tokenizer: Its tokenizer.
        tokens: How many come before the prompt at least; the last sentence is not cut.
        cases: Of each task.
    """
    before = corpus.sentences(np.random.default_rng(9))
    right = []
    for task in DRAW:
        for case in islice(held_out_cases(task, np.random.default_rng(8)), cases):
            ids = [0]
            while len(ids) <= tokens:
                ids += tokenizer(next(before).text)["input_ids"]
            ids += tokenizer(case.prompt)["input_ids"]
            logits = model(torch.tensor([ids])).logits[0, -1]
            grade = _later_year if task == "greater_than" else _answer
            right.append(grade(logits, case, tokenizer)[0])
    return round(float(np.mean(right)), 3)


def main() -> int:
    """Print every task's score."""
    torch.set_num_threads(1)
    for name, score in measure(*load_weights()).items():
        sys.stdout.write(
            f"{name:14} accuracy {score.accuracy:.3f}  logit difference "
            f"{score.logit_difference:6.2f}  ({score.cases} cases)\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
