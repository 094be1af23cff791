"""What the card of the transcoders says, measured again; and the parts of the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import headscope as hs
from headscope import demo
from headscope.demo import evaluate, state_features, train_transcoders, transcoder_card
from headscope.demo.world import state_of, states
from headscope.model.dictionaries import TopK, Transcoders


@pytest.fixture(scope="module")
def weights() -> Any:
    return evaluate.load_weights()


@pytest.fixture(scope="module")
def transcoders() -> Transcoders:
    return hs.load_demo_transcoders()


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return demo.transcoders_card()


def numbers(found: Any, path: str = "") -> dict[str, float]:
    if not isinstance(found, (dict, list)):
        return {} if isinstance(found, str) else {path: found}
    pairs = found.items() if isinstance(found, dict) else enumerate(found)
    return {k: v for key, value in pairs for k, v in numbers(value, f"{path}/{key}").items()}


def test_the_card_holds(weights: Any, transcoders: Transcoders, told: dict[str, Any]) -> None:
    found = transcoder_card.find(*weights, transcoders)
    before = {name: told[name] for name in found}
    again, old = numbers(found), numbers(before)
    assert again.keys() == old.keys()
    # float32 sums differ a little from one processor to the next, so a near tie may tip over.
    off = {k: (v, again[k]) for k, v in old.items() if abs(v - again[k]) > 0.02 + 0.02 * abs(v)}
    assert not off
    assert found["states"]["Texas"] == told["states"]["Texas"]


def test_the_card_tells_what_was_measured(told: dict[str, Any]) -> None:
    written = (demo.TRANSCODERS_DIR / "README.md").read_text(encoding="utf-8")
    assert written == transcoder_card.describe(told)


def test_they_are_small_and_half_precision() -> None:
    from safetensors import safe_open

    files = list(demo.TRANSCODERS_DIR.glob("*.safetensors"))
    assert len(files) == 4
    assert sum(file.stat().st_size for file in demo.TRANSCODERS_DIR.iterdir()) < 3_000_000
    for file in files:
        with safe_open(file, "pt") as tensors:
            kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
        assert kinds == {"F16"}


def test_they_stand_for_the_embedded_model(transcoders: Transcoders) -> None:
    bridge = demo.load_demo()
    transcoders.check(bridge)
    assert all(layer.activation == TopK(16, rectified=False) for layer in transcoders)
    assert transcoders.texts == demo.texts() == demo.texts()
    _, cache = bridge.run_with_cache(demo.prompts["two_hop"][0].clean)
    for layer in range(4):
        x = cache[transcoders.reads(bridge, layer)][0, 1:]
        y = cache[transcoders.writes(layer)][0, 1:]
        active = transcoders[layer].encode(x)
        assert (active >= 0).all()
        assert ((active > 0).sum(1) <= 16).all()
        missed = y - transcoders.written(layer, {layer: active}, x)
        assert missed.norm() < 0.5 * y.norm()


def test_replacing_is_what_transcoders_write(weights: Any, transcoders: Transcoders) -> None:
    """The replaced model against MLP outputs put in one layer at a time by TransformerLens."""
    model, _ = weights
    bridge = demo.load_demo()
    ids = bridge.to_tokens(demo.prompts["two_hop"][0].clean)

    def replace(layer: int) -> Any:
        def hook(out: Tensor, hook: Any) -> Tensor:
            row, active = seen[layer], transcoders[layer].encode(seen[layer])
            made = active @ transcoders[layer].w_dec[:, 0].float() + transcoders[layer].b_dec
            return torch.cat([out[:, :1], made[None, 1 : len(row)]], 1)

        return hook

    seen: dict[int, Tensor] = {}
    hooks: list[Any] = []
    for layer in range(4):
        keep = f"blocks.{layer}.mlp.hook_in"
        hooks.append((keep, lambda x, hook, layer=layer: seen.__setitem__(layer, x[0])))
        hooks.append((f"blocks.{layer}.hook_mlp_out", replace(layer)))
    theirs = bridge.run_with_hooks(ids, fwd_hooks=hooks)
    with torch.no_grad(), transcoder_card.replaced(model, transcoders):
        ours = model(ids).logits
    assert torch.allclose(ours, theirs, atol=1e-2)
    assert not torch.allclose(ours, bridge(ids), atol=1e-1)


def test_texas_is_at_dallas(transcoders: Transcoders, told: dict[str, Any]) -> None:
    """Its features are active at Texan cities and at none of the other states'."""
    bridge = demo.load_demo()
    names = told["states"]["Texas"]["detectors"]
    highest: dict[str, dict[str, float]] = {name: {} for name in names}
    assert names
    for city in state_of():
        _, cache = bridge.run_with_cache(state_features.PROMPT.format(city=city))
        for name in names:
            layer, feature = int(name[1]), int(name.partition("F")[2])
            x = cache[transcoders.reads(bridge, layer)][0, [-2]]
            highest[name][city] = float(transcoders[layer].encode(x)[0, feature])
    texan = {city for city, state in state_of().items() if state.name == "Texas"}
    for name, values in highest.items():
        found = {city for city, value in values.items() if value > max(values.values()) / 4}
        assert len(found & texan) >= 4, name
        assert len(found - texan) <= 1, name


def test_what_the_card_says_about_states(told: dict[str, Any]) -> None:
    found = told["states"]
    assert found["detected"][0] >= 25
    steering = found["steering"]
    assert steering["1"]["own_capital"] > 0.95
    assert steering["16"]["other_capital"] > 0.5
    differences = [of["logit_difference"] for of in steering.values()]
    assert differences == sorted(differences)


def test_steering_is_what_it_says(weights: Any, transcoders: Transcoders) -> None:
    """One city by hand through TransformerLens: Dallas's features off, California's set."""
    cities = state_features.Cities(*weights, transcoders)
    dallas = cities.cities.index("Dallas")
    names = [state.name for state in states()]
    california = names.index("California")
    others = torch.full((len(cities.cities),), california)
    with torch.no_grad():
        ours = cities.steered(8.0, others)[dallas]
    bridge = demo.load_demo()
    hooks: list[Any] = []
    seen: dict[int, Tensor] = {}
    for layer in range(3):
        means = torch.stack([
            torch.stack([
                cities.activations[layer][number]
                for number, city in enumerate(cities.cities)
                if state_of()[city].name == name
            ]).mean(0)
            for name in names
        ])  # fmt: skip
        apart = means - means.mean(0)
        own = apart[names.index("Texas")].argsort(descending=True)[: state_features.FEATURES]
        other = apart[california].argsort(descending=True)[: state_features.FEATURES]

        def steer(
            out: Tensor, hook: Any, layer: int = layer, means: Any = means, sets: Any = (own, other)
        ) -> Tensor:
            now = transcoders[layer].encode(seen[layer])[0]
            then = now.clone()
            then[sets[0]] = 0
            then[sets[1]] = 8 * means[california][sets[1]]
            out = out.clone()
            for feature in (then != now).nonzero()[:, 0]:
                row = transcoders[layer].decoder(feature[None])[0]
                out[0, -2] += (then[feature] - now[feature]) * row
            return out

        keep = f"blocks.{layer}.mlp.hook_in"
        hooks.append((keep, lambda x, hook, layer=layer: seen.__setitem__(layer, x[0, [-2]])))
        hooks.append((f"blocks.{layer}.hook_mlp_out", steer))
    ids = cities.ids[[dallas]]
    theirs = bridge.run_with_hooks(ids, fwd_hooks=hooks)[0, -1]
    assert torch.allclose(ours, theirs, atol=2e-2)
    assert not torch.allclose(ours, bridge(ids)[0, -1], atol=1)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROWS", "SINGLE_ROWS", "CITY_ROWS", "REPEAT_ROWS"):
        monkeypatch.setattr(train_transcoders, name, 3)
    monkeypatch.setattr(train_transcoders, "BATCH", 64)


@pytest.mark.usefixtures("_small")
def test_the_seed_decides_and_the_loss_falls(weights: Any) -> None:
    model, _ = weights
    once, again, other = (
        train_transcoders.collect(model, train_transcoders.Texts(seed), 2) for seed in (5, 5, 6)
    )
    assert all(torch.equal(a, b) for a, b in zip(once[1], again[1], strict=True))
    assert once[1][0].shape != other[1][0].shape or not torch.equal(once[1][0], other[1][0])
    x, y = once[0]
    short, long = (train_transcoders.train(x, y, 5, steps) for steps in (2, 40))
    with torch.no_grad():
        assert long.loss(x.float(), y.float()) < short.loss(x.float(), y.float())
    assert torch.allclose(long.w_dec.norm(dim=1), torch.ones(len(long.w_dec)), atol=1e-5)
    assert np.isfinite(float(long.b_enc.detach().sum()))


@pytest.mark.usefixtures("_small")
def test_the_script_writes_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcoder_card, "_TEXTS", 20)
    train_transcoders.main(["--steps", "3", "--draws", "1", "--out", str(tmp_path)])
    written = hs.load_transcoders(tmp_path)
    assert (len(written), written.input_hook, written.output_hook) == (
        4,
        "mlp.hook_in",
        "hook_mlp_out",
    )
    assert (tmp_path / "README.md").read_text().count("--steps 3 --draws 1") == 1
