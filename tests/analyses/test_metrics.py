"""Each metric, of streams, equals what the model's own logits say."""

from __future__ import annotations

import pytest
import torch

from headscope.analyses.metrics import METRICS, Metric
from headscope.errors import RequestError
from headscope.model.readout import ReadOut
from tests import naive

PROMPTS = ((3, 5, 9, 13, 21), (3, 5, 17, 13, 40))
ANSWER, WRONG = 7, 11


@pytest.fixture
def runs(every_bridge):
    """Logits and final streams of two prompts at every position, and the read-out."""
    end = naive.hook("resid_post", 2)
    logits = torch.stack([naive.logits(every_bridge, ids) for ids in PROMPTS])
    streams = [naive.activations(every_bridge, ids, [end])[end] for ids in PROMPTS]
    return logits, torch.stack(streams), ReadOut.of(every_bridge)


def direct(name, logits, clean):
    """The definition, from logits `[run, d_vocab]`."""
    log_p = logits.log_softmax(-1)
    return {
        "logit_diff": logits[:, ANSWER] - logits[:, WRONG],
        "logit": logits[:, ANSWER],
        "log_prob": log_p[:, ANSWER],
        "prob": logits.softmax(-1)[:, ANSWER],
        "rank": (logits.argsort(-1, descending=True) == ANSWER).nonzero()[:, 1].float(),
        "kl": torch.nn.functional.kl_div(
            log_p, clean.expand_as(log_p), reduction="none", log_target=True
        ).sum(-1),
    }[name]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_what_the_logits_say(runs, name):
    logits, streams, path = runs
    for position in (2, 4):
        clean = logits[0, position].log_softmax(-1)
        found = Metric(name, (ANSWER,), (WRONG,)).of(path, [streams[:, [position]]], clean)
        expected = direct(name, logits[:, position], clean)
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
    if name == "kl":
        assert found[0] == pytest.approx(0, abs=1e-5)
        assert found[1] > 0.01


@pytest.mark.parametrize("name", ["log_prob", "prob", "logit_diff"])
def test_answers_of_several_tokens_are_teacher_forced(every_bridge, name):
    prompt, end, path = PROMPTS[0], naive.hook("resid_post", 2), ReadOut.of(every_bridge)

    def log_prob(ids):
        log_p = naive.logits(every_bridge, (*prompt, *ids)).log_softmax(-1)
        return sum(float(log_p[len(prompt) - 1 + k, i]) for k, i in enumerate(ids))

    for answer, wrong in (((7, 8), (11,)), ((9, 9, 30), (11, 5)), ((7,), (11, 5))):
        metric = Metric(name, answer, wrong)
        assert metric.several == (name == "logit_diff" or len(answer) > 1)
        streams = []
        for tail in metric.continuations:
            stream = naive.activations(every_bridge, (*prompt, *tail), [end])[end]
            streams.append(stream[None, len(prompt) - 1 :])
        found = float(metric.of(path, streams)[0])
        total = log_prob(answer) - (log_prob(wrong) if name == "logit_diff" else 0.0)
        expected = torch.tensor(total).exp().item() if name == "prob" else total
        assert found == pytest.approx(expected, rel=1e-4)
        parts = [metric.part(path, k, stream) for k, stream in enumerate(streams)]
        assert float(sum(parts)) == pytest.approx(found, rel=1e-6)


def test_a_difference_of_log_probabilities_is_one_of_logits(runs):
    _, streams, path = runs
    log_p = [Metric("log_prob", (i,)).of(path, [streams[:, [4]]]) for i in (ANSWER, WRONG)]
    found = Metric("logit_diff", (ANSWER,), (WRONG,)).of(path, [streams[:, [4]]])
    assert torch.allclose(found, log_p[0] - log_p[1], atol=1e-5)


def test_soft_caps_are_in_the_logits(gemma2):
    end = naive.hook("resid_post", 2)
    stream = 100 * naive.activations(gemma2, PROMPTS[0], [end])[end][None, [4]]
    path = ReadOut.of(gemma2)
    assert path.transforms
    cap = gemma2.cfg.output_logits_soft_cap
    found = [float(Metric("logit", (i,)).of(path, [stream])[0]) for i in range(20)]
    assert max(map(abs, found)) <= cap
    raw = path.normalised(stream[0]) @ path.unembedding + path.unembedding_bias
    expected = cap * torch.tanh(raw[0, :20] / cap)
    assert torch.allclose(torch.tensor(found), expected.float(), atol=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_many_runs_in_pieces_are_as_each_alone(gpt2, monkeypatch, name):
    from headscope.analyses import metrics

    path = ReadOut.of(gpt2)
    generator = torch.Generator().manual_seed(0)
    streams = torch.randn(7, 1, path.unembedding.shape[0], generator=generator)
    clean = torch.randn(path.unembedding.shape[1], generator=generator).log_softmax(-1)
    metric = Metric(name, (ANSWER,), (WRONG,))
    alone = torch.cat([metric.of(path, [stream[None]], clean) for stream in streams])
    monkeypatch.setattr(metrics, "vectors_per_piece", lambda d_vocab: 2)
    assert torch.allclose(metric.of(path, [streams], clean), alone, rtol=1e-5, atol=1e-6)
    assert metric.of(path, [streams[:0]], clean).shape == (0,)


@pytest.mark.parametrize("name", [name for name in METRICS if name != "rank"])
def test_all_but_rank_have_a_gradient(gpt2, name):
    path = ReadOut.of(gpt2)
    metric = Metric(name, (ANSWER,), (WRONG,))
    assert metric.differentiable
    stream = torch.randn(1, 1, path.unembedding.shape[0], requires_grad=True)
    clean = torch.zeros(path.unembedding.shape[1]).log_softmax(-1)
    metric.of(path, [stream], clean).sum().backward()
    assert stream.grad.abs().sum() > 0
    assert not Metric("rank", (ANSWER,)).differentiable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("loss", (1,)), r"There is no metric 'loss'. Choose from \('logit_diff', "),
        (("logit_diff", (1,)), "logit_diff needs a wrong answer too. Pass wrong=..., or metric="),
        (("rank", (1, 2)), "rank is defined for an answer of one token; this one has 2. Use metri"),
        (("logit", (1, 2, 3)), "logit is defined for an answer of one token; this one has 3."),
        (("kl", (1, 2)), "kl is defined for an answer of one token"),
    ],
)  # fmt: skip
def test_what_is_no_metric_is_said_in_one_line(arguments, message):
    with pytest.raises(RequestError, match=f"^{message}"):
        Metric(*arguments)
