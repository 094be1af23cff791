"""Scores of patterns made by hand, and of real ones against TransformerLens's detectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformer_lens import head_detector

from headscope.analyses import attention
from headscope.analyses.attention import AttentionRequest
from headscope.analyses.head_scores import Sources, index_of
from headscope.model import LiveModel
from tests import models
from tests.analyses.steps import result_of

REPEATING = (9, 1, 2, 3, 1, 2, 3)  # each of 1, 2, 3 occurs twice after the first token


def one_hot(sources):
    """A head that attends, from each dest, to one src only."""
    return torch.eye(len(sources))[torch.tensor(sources)][None]


def share(name, pattern, ids, *, causal=True):
    sources = Sources.of(ids, causal=causal, device=torch.device("cpu"))
    return float(sources.shares(pattern)[0, index_of(name)])


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        ("previous_token", [0, 0, 1, 2, 3, 4, 5]),
        ("duplicate_token", [0, 0, 0, 0, 1, 2, 3]),
        ("induction", [0, 0, 0, 0, 2, 3, 4]),
        ("first_token", [0, 0, 0, 0, 0, 0, 0]),
        ("current_token", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_perfect_head_scores_one_and_only_there(name, sources):
    assert share(name, one_hot(sources), REPEATING) == pytest.approx(1.0)
    elsewhere = one_hot([min(s + 1, 6) if s else 6 for s in sources])
    assert share(name, elsewhere, REPEATING) < 1.0


def test_shares_are_means_over_the_destinations_with_an_occasion():
    pattern = torch.zeros(1, 7, 7)
    pattern[0, 4, 2] = 0.6  # the token after the earlier 1
    pattern[0, 5, 3] = 0.3
    assert share("induction", pattern, REPEATING) == pytest.approx(0.3)  # (0.6 + 0.3 + 0) / 3


def test_several_sources_of_one_destination_add_up():
    ids = (5, 5, 5)
    pattern = torch.tensor([[[1, 0, 0], [1, 0, 0], [0.5, 0.25, 0.25]]])
    assert share("duplicate_token", pattern, ids) == pytest.approx((1 + 0.75) / 2)


@pytest.mark.parametrize("name", ["duplicate_token", "induction"])
def test_no_occasion_is_not_a_number(name):
    assert math.isnan(share(name, one_hot([0, 1, 2]), (1, 2, 3)))


def test_the_first_position_of_a_bidirectional_model_counts():
    pattern = one_hot([1, 1])
    assert share("current_token", pattern, (1, 2), causal=True) == 1.0
    assert share("current_token", pattern, (1, 2), causal=False) == 0.5


def test_entropy_of_uniform_rows_in_nats():
    uniform = torch.tril(torch.ones(1, 4, 4)) / torch.arange(1, 5)[None, :, None]
    sources = Sources.of((1, 2, 3, 4), causal=True, device=torch.device("cpu"))
    expected = (math.log(2) + math.log(3) + math.log(4)) / 3
    assert float(sources.entropy(uniform)) == pytest.approx(expected)
    assert float(sources.entropy(one_hot([0, 0, 1, 2]))) == 0.0


@pytest.mark.parametrize("name", ["previous_token", "duplicate_token", "induction"])
def test_shares_are_transformer_lens_detections_over_their_occasions(any_bridge, name):
    """`detect_head` divides by every destination; the difference is the number with an occasion."""
    ids = (0, *torch.randint(5, (30,), generator=torch.Generator().manual_seed(1)).tolist())
    model = LiveModel.of(any_bridge)
    result = result_of(attention.run(model, AttentionRequest(ids)))
    tokens = torch.tensor([ids])
    detected = getattr(head_detector, f"get_{name}_head_detection_pattern")(tokens)
    with torch.no_grad():
        _, cache = any_bridge.run_with_cache(tokens, remove_batch_dim=True)
    expected = torch.tensor(
        [
            [
                head_detector.compute_head_attention_similarity_score(
                    cache["pattern", layer][head],
                    detection_pattern=detected,
                    exclude_bos=False,
                    exclude_current_token=False,
                    error_measure="mul",
                )
                for head in range(models.N_HEADS)
            ]
            for layer in range(models.N_LAYERS)
        ]
    )
    occasions = float((detected.sum(-1) > 0).sum())
    np.testing.assert_allclose(
        result.score(name) * occasions / len(ids), expected.numpy(), rtol=1e-4
    )


def test_every_score_says_what_it_is(gpt2):
    result = result_of(attention.run(LiveModel.of(gpt2), AttentionRequest(models.PROMPT)))
    assert [score.name for score in result.scores] == [
        "previous_token",
        "duplicate_token",
        "induction",
        "first_token",
        "current_token",
        "entropy",
    ]
    for score in result.scores:
        assert score.definition.endswith(".")
        assert np.all((score.values >= 0) & (score.values <= score.high))
    assert result.scores[-1].high == pytest.approx(math.log(len(result.tokens)))
