"""What is shown of a unit, against the whole corpus run at once and sums written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from headscope.analyses.feature_view import FeatureRequest, FeatureView, run
from headscope.errors import ModelError, RequestError
from headscope.jobs import Job
from headscope.model import LiveModel
from headscope.model.dictionaries import LayerTranscoder, TopK, Transcoders
from tests.analyses.test_left_as_found import state_of

TEXTS = ("the cat sat on the mat", "the dog saw the cat", "on the mat the dog sat and sat")
LAYER, FEATURE, K = 1, 5, 4


@pytest.fixture
def model(every_bridge: Any) -> LiveModel:
    return LiveModel.of(every_bridge)


def transcoders(model: LiveModel, *, cross: bool = False) -> Transcoders:
    torch.manual_seed(3)
    n, width, features = model.n_layers, model.d_model, 24
    layers = tuple(
        LayerTranscoder(
            layer,
            torch.randn(features, width),
            torch.randn(features),
            torch.randn(features, n - layer if cross else 1, width),
            torch.randn(width),
            TopK(K),
        )
        for layer in range(n)
    )
    return Transcoders("random", layers, texts=TEXTS)


def view(model: LiveModel, node: str, **parameters: Any) -> FeatureView:
    job: Job[FeatureView] = Job(run(model, FeatureRequest(node, **parameters)))
    job.advance()
    assert job.error is None, job.error
    assert job.result is not None
    return job.result


def activations_by_hand(model: LiveModel, of: Transcoders | None) -> list[np.ndarray]:
    """The unit's activation at every token, text by text, straight from TransformerLens."""
    found = []
    for text in TEXTS:
        _, cache = model.bridge.run_with_cache(text)
        if of is None:
            found.append(cache[f"blocks.{LAYER}.mlp.hook_post"][0, :, FEATURE].numpy())
            continue
        x, layer = cache[f"blocks.{LAYER}.mlp.hook_in"][0].double().numpy(), of[LAYER]
        pre = x @ layer.w_enc.double().numpy().T + layer.b_enc.double().numpy()
        among = (-pre).argsort(1)[:, :K]
        values = np.where((among == FEATURE).any(1), pre[:, FEATURE].clip(0), 0)
        found.append(values)
    return found


@pytest.mark.parametrize("node", [f"L{LAYER}F{FEATURE}@2", f"L{LAYER}N{FEATURE}"])
def test_where_it_is_active(model: LiveModel, node: str) -> None:
    of = transcoders(model) if "F" in node else None
    shown = view(model, node, texts=TEXTS, transcoders=of)
    expected = activations_by_hand(model, of)
    firsts = {model.tokenize(text).tokens[0] for text in TEXTS}
    skipped = int(len(firsts) == 1)  # a beginning-of-sequence token, where the family has one
    flat = np.concatenate([values[skipped:] for values in expected])
    active = flat[flat > 0]
    assert shown["node"] == node
    assert shown["activation_density"] == pytest.approx(len(active) / len(flat))
    edges, counts = shown["histogram"]["edges"], shown["histogram"]["counts"]
    assert sum(counts) == len(active)
    assert len(edges) == len(counts) + 1
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        inside = ((active >= low - 1e-4) & (active <= high + 1e-4)).sum()
        assert count <= inside
    best = [values[skipped:].max() for values in expected]
    order = [number for number in np.argsort(best)[::-1] if best[number] > 0]
    assert len(shown["examples"]) == len(order)
    for number, example in zip(order, shown["examples"], strict=True):
        tokens = model.tokenize(TEXTS[number]).tokens[skipped:]
        assert example["tokens"] == list(tokens)
        assert np.allclose(example["values"], expected[number][skipped:], atol=1e-4)
        assert example["values"][example["token"]] == max(example["values"])


@pytest.mark.parametrize("kind", ["F", "cross", "N"])
def test_promoted_tokens_are_what_a_write_does_to_the_logits(model: LiveModel, kind: str) -> None:
    """A small write to the last stream, the final norm's scale held."""
    bridge = model.bridge
    of = None if kind == "N" else transcoders(model, cross=kind == "cross")
    node = f"L{LAYER}{'N' if kind == 'N' else 'F'}{FEATURE}"
    shown = view(model, node, texts=TEXTS, transcoders=of, n_tokens=bridge.cfg.d_vocab)
    if of is not None:
        written = of[LAYER].w_dec[FEATURE].sum(0)
    else:
        mlp = bridge.blocks[LAYER].mlp
        written = mlp.W_out[FEATURE].detach()
        after = getattr(bridge.blocks[LAYER], "ln2_post", None)
        if "ln2_post" in dict(bridge.blocks[LAYER].named_children()):
            written = written * (1 + after.weight.detach())
    size = 1e-2
    stream = torch.zeros(1, 2, bridge.cfg.d_model)
    stream[0, 1] = size * written

    def logits(replaced: torch.Tensor) -> torch.Tensor:
        hooks = [("ln_final.hook_scale", lambda scale, hook: torch.ones_like(scale))]
        last = f"blocks.{bridge.cfg.n_layers - 1}.hook_resid_post"
        hooks.append((last, lambda resid, hook: replaced.expand_as(resid).clone()))
        return bridge.run_with_hooks(torch.tensor([[0, 0]]), fwd_hooks=hooks)[0]

    cap = getattr(bridge.cfg, "output_logits_soft_cap", None) or -1
    with torch.no_grad():
        out = logits(stream)
    if cap > 0:
        out = cap * torch.atanh(out / cap)
    change = (out[1] - out[0]) / size
    change = change - change.mean()
    by_text: dict[str, list[float]] = {}
    for token, value in enumerate(change.tolist()):
        by_text.setdefault(model.token_text(token), []).append(value)
    values = [of["value"] for of in shown["promoted"]]
    assert values == sorted(values, reverse=True)
    assert [of["value"] for of in shown["suppressed"]] == values[::-1]
    for weighted in shown["promoted"]:
        near = [abs(weighted["value"] - value) for value in by_text[weighted["text"]]]
        assert min(near) < 2e-2 * max(map(abs, values))
    assert shown["suggested_label"].split(", ")[0] == shown["promoted"][0]["text"].strip()


def test_texts_come_with_the_transcoders(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    of = transcoders(model)
    by_default = view(model, "L1F5", transcoders=of)
    assert by_default == view(model, "L1F5", transcoders=of, texts=TEXTS)
    assert f"{len(TEXTS)} texts" in by_default["definition"]


def test_long_texts_are_shown_around_the_place(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    text = " ".join(["the cat sat on the mat and the dog saw the cat"] * 4)
    shown = view(model, "L1N5", texts=(text, "the cat"))
    for example in shown["examples"]:
        assert len(example["tokens"]) == len(example["values"]) <= 33
        assert example["values"][example["token"]] == max(example["values"])


def test_a_unit_that_is_never_active(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    of = transcoders(model)
    of[1].b_enc[FEATURE] = -1e6
    shown = view(model, "L1F5", transcoders=of)
    assert shown["activation_density"] == 0
    assert shown["examples"] == []
    assert set(shown["histogram"]["counts"]) == {0}


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ("L1H2", "no feature or neuron"),
        ("", "no feature or neuron"),
        ("L9N0", "no L9N0"),
        ("L0N99999", "units 0 to 127"),
        ("L0F24", "units 0 to 23"),
    ],
)
def test_what_is_no_unit_is_refused(gpt2: Any, node: str, says: str) -> None:
    model = LiveModel.of(gpt2)
    with pytest.raises(RequestError, match=says):
        next(run(model, FeatureRequest(node, transcoders=transcoders(model))))


def test_what_is_missing_is_said(gpt2: Any, llama: Any) -> None:
    model = LiveModel.of(gpt2)
    with pytest.raises(RequestError, match="there are no transcoders"):
        next(run(model, FeatureRequest("L0F1", texts=TEXTS)))
    with pytest.raises(RequestError, match="0 texts"):
        next(run(model, FeatureRequest("L0N1")))
    deep = transcoders(model)
    other = Transcoders("short", deep.layers[:2], texts=TEXTS)
    with pytest.raises(ModelError, match="short is for 2 layers"):
        next(run(model, FeatureRequest("L0F1", transcoders=other)))


def test_steps_are_short_and_leave_nothing(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    with torch.no_grad():
        gpt2("the cat")
    model.forget_runs()
    before, fractions = state_of(gpt2), []
    for step in run(model, FeatureRequest("L1F5", transcoders=transcoders(model))):
        assert state_of(gpt2) == before
        fractions.append(step.fraction)
    assert fractions == sorted(fractions)
    assert len(fractions) > len(TEXTS)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
