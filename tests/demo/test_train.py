"""A training step depends on the seed and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from headscope.demo import train


def weights(seed: int) -> dict[str, Tensor]:
    training = train.Training(seed, embedding_rate=0.3)
    training.step(0.5)
    training.step(1.0, 64)
    return training.model.state_dict()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROWS", "REPEAT_ROWS"):
        monkeypatch.setattr(train, name, 2)


def test_the_seed_decides() -> None:
    once, again, other = weights(2), weights(2), weights(3)
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert not torch.equal(once["lm_head.weight"], other["lm_head.weight"])


def test_every_weight_learns() -> None:
    training = train.Training(2, embedding_rate=0.3)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.step(1.0)
    after = training.model.state_dict()
    assert not [name for name in before if torch.equal(before[name], after[name])]


def test_the_word_that_is_asked_for_counts_more() -> None:
    batches = train.Batches(np.random.default_rng(4))
    ids, targets, counts = batches.text(8, train.ROW)
    asked = counts == train.ANSWER_WEIGHT
    decoded = set(batches.tokenizer.convert_ids_to_tokens(targets[asked].tolist()))
    assert (targets[asked] != train.IGNORE).all()
    assert asked.sum() == (ids == batches.tokenizer("a.")["input_ids"][-1]).sum()
    assert "." not in decoded
