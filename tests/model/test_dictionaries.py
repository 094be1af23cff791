"""Transcoders read from files that the tests write by hand, against sums written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import headscope as hs
from headscope.errors import HeadscopeError, ModelError, RequestError
from headscope.model.dictionaries import JumpReLU, LayerTranscoder, ReLU, TopK, Transcoders
from tests.model.dictionary_files import (
    Layers,
    random_layers,
    write_cross_layer,
    write_per_layer,
    write_sae_lens,
)

N, FEATURES, WIDTH, ROWS, K = 3, 11, 6, 4, 3


def by_hand(kind: str, pre: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Activations one number at a time."""
    out = np.zeros_like(pre)
    for row in range(len(pre)):
        largest = sorted(range(FEATURES), key=lambda f: -pre[row, f])[:K]
        for f in range(FEATURES):
            value = pre[row, f]
            on = {
                "relu": value > 0,
                "jump": value > threshold[f],
                "topk": f in largest and value > 0,
                "topk, negative too": f in largest,
            }[kind]
            out[row, f] = value if on else 0.0
    return out


def outputs_by_hand(layers: Layers, kind: str, xs: list[Tensor], *, skip: bool) -> list[np.ndarray]:
    """What every layer's MLP output becomes, in float64."""
    outs = [np.tile(layer["b_dec"].double().numpy(), (ROWS, 1)) for layer in layers]
    for i, (layer, x) in enumerate(zip(layers, xs, strict=True)):
        given = {name: tensor.double().numpy() for name, tensor in layer.items()}
        read = x.double().numpy()
        pre = np.einsum("nd,fd->nf", read, given["enc"]) + given["b_enc"]
        active = by_hand(kind, pre, given["threshold"])
        for target in range(given["dec"].shape[1]):
            outs[i + target] += np.einsum("nf,fd->nd", active, given["dec"][:, target])
        if skip:
            outs[i] += np.einsum("nd,ed->ne", read, given["skip"])
    return outs


def outputs(transcoders: Transcoders, xs: list[Tensor]) -> list[Tensor]:
    active = {layer.layer: layer.encode(x) for layer, x in zip(transcoders, xs, strict=True)}
    return [transcoders.written(i, active, x) for i, x in enumerate(xs)]


CASES: dict[str, tuple[bool, Any, str, bool]] = {
    "circuit-tracer relu": (False, lambda f, ls: write_per_layer(f, ls), "relu", False),
    "circuit-tracer jump skip": (
        False,
        lambda f, ls: write_per_layer(f, ls, jump=True, skip=True),
        "jump",
        True,
    ),
    "circuit-tracer topk": (
        False,
        lambda f, ls: write_per_layer(f, ls, activation="topk", k=K),
        "topk, negative too",
        False,
    ),
    "cross-layer relu": (True, lambda f, ls: write_cross_layer(f, ls), "relu", False),
    "cross-layer jump skip": (
        True,
        lambda f, ls: write_cross_layer(f, ls, jump=True, skip=True),
        "jump",
        True,
    ),
    "SAELens": (False, lambda f, ls: write_sae_lens(f, ls, "transcoder"), "relu", False),
    "SAELens skip": (False, lambda f, ls: write_sae_lens(f, ls, "skip_transcoder"), "relu", True),
    "SAELens jump": (
        False,
        lambda f, ls: write_sae_lens(f, ls, "jumprelu_transcoder"),
        "jump",
        False,
    ),
    "SAELens jump skip": (
        False,
        lambda f, ls: write_sae_lens(f, ls, "jumprelu_skip_transcoder"),
        "jump",
        True,
    ),
    "SAELens topk": (False, lambda f, ls: write_sae_lens(f, ls, "topk", k=K), "topk", False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_the_sum_by_hand(case: str, tmp_path: Path) -> None:
    cross, write, kind, skip = CASES[case]
    layers = random_layers(N, FEATURES, WIDTH, cross=cross)
    transcoders = hs.load_transcoders(write(tmp_path, layers))
    torch.manual_seed(1)
    xs = [torch.randn(ROWS, WIDTH) for _ in range(N)]
    expected = outputs_by_hand(layers, kind, xs, skip=skip)
    for ours, theirs in zip(outputs(transcoders, xs), expected, strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)
    assert (len(transcoders), transcoders.d_model) == (N, WIDTH)
    assert transcoders.cross_layer == cross
    assert all(layer.n_features == FEATURES for layer in transcoders)
    assert transcoders.name == tmp_path.name


def test_rows_of_encoder_and_decoder(tmp_path: Path) -> None:
    layers = random_layers(N, FEATURES, WIDTH, cross=True)
    cross = hs.load_transcoders(write_cross_layer(tmp_path, layers))
    features = torch.tensor([7, 0, 7])
    assert torch.equal(cross[1].encoder(features), layers[1]["enc"][[7, 0, 7]])
    assert list(cross[1].targets) == [1, 2]
    for target in (1, 2):
        rows = cross[1].decoder(features, target)
        assert torch.equal(rows, layers[1]["dec"][[7, 0, 7], target - 1])
    assert torch.equal(cross[1].decoder(features), cross[1].decoder(features, 1))
    with pytest.raises(RequestError, match="do not write to layer 0"):
        cross[1].decoder(features, 0)
    for wrong in (-1, FEATURES):
        with pytest.raises(RequestError, match="no such feature"):
            cross[1].encoder(torch.tensor([wrong]))


def test_sae_lens_encoders_are_the_transpose(tmp_path: Path) -> None:
    layers = random_layers(N, FEATURES, WIDTH)
    ours = hs.load_transcoders(write_sae_lens(tmp_path, layers, "transcoder"))
    assert torch.equal(ours[2].encoder(torch.tensor([4])), layers[2]["enc"][[4]])
    assert (ours.input_hook, ours.output_hook) == ("ln2.hook_normalized", "hook_mlp_out")


def test_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    halves = [
        {name: tensor.half() for name, tensor in layer.items()}
        for layer in random_layers(N, FEATURES, WIDTH)
    ]
    half = hs.load_transcoders(write_per_layer(tmp_path, halves))
    x = torch.randn(ROWS, WIDTH)
    expected = torch.einsum("nd,fd->nf", x, halves[0]["enc"].float()) + halves[0]["b_enc"].float()
    assert torch.allclose(half[0].pre_activations(x), expected, atol=1e-5)
    assert half[0].encode(x.half()).dtype == torch.float32


def test_opening_a_set_does_not_read_its_weights(tmp_path: Path) -> None:
    import psutil

    folder = write_per_layer(tmp_path, random_layers(2, 20_000, 256))
    process = psutil.Process()
    before = process.memory_info().rss
    transcoders = hs.load_transcoders(folder)
    transcoders[1].decoder(torch.tensor([5, 19_999]))
    assert process.memory_info().rss - before < 10e6
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size > 80e6


@pytest.mark.parametrize(
    ("hook", "shows"),
    [("hook_resid_mid", "ln2.hook_in"), ("mlp.hook_in", "mlp.hook_in"), ("unit", None)],
)
def test_features_read_what_the_file_says(every_bridge: Any, hook: str, shows: str | None) -> None:
    """x is the stream, what the MLP reads, or what the norm's class in TransformerLens 3 showed."""
    named = "ln2.hook_normalized" if shows is None else hook
    ours = Transcoders("x", _tiny(every_bridge.cfg.d_model, 3), named, "hook_mlp_out")
    ours.check(every_bridge)
    _, cache = every_bridge.run_with_cache("the cat sat")
    stream, seen = cache["blocks.1.ln2.hook_in"], cache[ours.reads(every_bridge, 1)]
    if shows is not None:
        assert torch.equal(seen, cache[f"blocks.1.{shows}"])
        return
    norm = every_bridge.blocks[1].ln2
    if "RMS" in every_bridge.cfg.normalization_type:
        unit = stream * (stream.pow(2).mean(-1, keepdim=True) + every_bridge.cfg.eps).rsqrt()
        assert torch.allclose(seen, unit, atol=1e-4)
    else:
        assert torch.allclose(seen, norm.original_component(stream), atol=1e-5)


def _tiny(width: int, n: int) -> tuple[LayerTranscoder, ...]:
    zeros = torch.zeros
    return tuple(
        LayerTranscoder(i, zeros(4, width), zeros(4), zeros(4, 1, width), zeros(width), ReLU())
        for i in range(n)
    )


def test_transcoders_of_another_model_are_refused(gpt2: Any) -> None:
    with pytest.raises(ModelError, match=r"is for 2 layers of width 8; the model has 3 of 32"):
        Transcoders("other", _tiny(8, 2)).check(gpt2)


def test_activations_at_the_edges() -> None:
    pre = torch.tensor([[0.5, -1.0, 0.5, 2.0]])
    jump = JumpReLU(torch.tensor([0.5, -2.0, 0.4, 3.0]))
    assert jump(pre).tolist() == [[0.0, -1.0, 0.5, 0.0]]
    assert TopK(9)(pre).tolist() == ReLU()(pre).tolist()
    assert TopK(4, rectified=False)(pre).tolist() == pre.tolist()


# Files of strangers.


def refused(folder: Path) -> str:
    with pytest.raises(HeadscopeError) as caught:
        hs.load_transcoders(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


@pytest.fixture
def layers() -> Layers:
    return random_layers(N, FEATURES, WIDTH)


@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_enc", "b_dec"])
def test_wrong_shapes_are_refused(name: str, layers: Layers, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    path = write_per_layer(tmp_path, layers) / "layer_1.safetensors"
    tensors = load_file(path)
    save_file({**tensors, name: tensors[name][:-1].contiguous()}, path)
    assert "transcoder of layer 1" in refused(tmp_path)
    save_file({**tensors, name: tensors[name][None].contiguous()}, path)
    assert "layer 1" in refused(tmp_path)
    save_file({key: value for key, value in tensors.items() if key != name}, path)
    assert f"has no {name}" in refused(tmp_path)
    save_file({**tensors, name: tensors[name].to(torch.int32)}, path)
    assert "not a float" in refused(tmp_path)


def test_a_missing_layer_is_refused(layers: Layers, tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b", tmp_path / "c"):
        folder.mkdir()
    (write_per_layer(tmp_path / "a", layers) / "layer_1.safetensors").unlink()
    assert "no layer_1.safetensors" in refused(tmp_path / "a")
    crossing = random_layers(N, FEATURES, WIDTH, cross=True)
    (write_cross_layer(tmp_path / "b", crossing) / "W_dec_2.safetensors").unlink()
    assert "no W_dec_2.safetensors" in refused(tmp_path / "b")
    (write_sae_lens(tmp_path / "c", layers, "transcoder") / "layer_0" / "cfg.json").unlink()
    assert "[0] are missing" in refused(tmp_path / "c")


def test_layers_of_different_reach_are_refused(layers: Layers, tmp_path: Path) -> None:
    layers[2]["dec"] = torch.zeros(FEATURES, 2, WIDTH)
    assert "later ones" in refused(write_cross_layer(tmp_path, layers))


def test_nan_is_refused_when_it_is_met(layers: Layers, tmp_path: Path) -> None:
    layers[0]["enc"][3, 2] = torch.nan
    layers[1]["dec"][4] = torch.inf
    ours = hs.load_transcoders(write_per_layer(tmp_path, layers))
    x = torch.ones(ROWS, WIDTH)
    with pytest.raises(ModelError, match=r"layer 0 .* NaN"):
        ours[0].encode(x)
    with pytest.raises(ModelError, match="w_enc is NaN"):
        ours[0].encoder(torch.tensor([3]))
    with pytest.raises(ModelError, match="w_dec is NaN or infinite"):
        ours[1].decoder(torch.tensor([4]))
    assert ours[1].encode(x).isfinite().all()
    layers[2]["b_dec"][0] = torch.nan
    assert "b_dec is NaN" in refused(write_per_layer(tmp_path, layers))


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickles_are_refused_and_never_opened(tmp_path: Path) -> None:
    went_off = tmp_path / "went_off"
    torch.save(Bomb(went_off), tmp_path / "transcoder.pt")
    assert "pickle" in refused(tmp_path / "transcoder.pt")
    assert "pickle" in refused(tmp_path)
    config = "model_kind: transcoder_set\ntranscoders: [transcoder.pt]\n"
    (tmp_path / "config.yaml").write_text(config)
    assert "pickle" in refused(tmp_path)
    (tmp_path / "config.yaml").write_text(config.replace(".pt", ".safetensors"))
    (tmp_path / "transcoder.pt").rename(tmp_path / "transcoder.safetensors")
    assert "no safetensors file" in refused(tmp_path)
    assert not went_off.exists()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir [/tmp/headscope-went-off]",
        "a: [",
        "- transcoder_set",
        "",
        "[" * 100_000,
        "model_kind: wolf",
        "model_kind: transcoder_set\nactivation: topk",
        "model_kind: transcoder_set\nactivation: topk\nk: 0",
        "model_kind: transcoder_set\nactivation: sine",
        "model_kind: transcoder_set\nactivation: jump_relu",
        "model_kind: transcoder_set\nfeature_input_hook: attn.hook_z",
        "model_kind: transcoder_set\nfeature_output_hook: 7",
        "model_kind: transcoder_set\ntranscoders: 7",
        "model_kind: transcoder_set\ntranscoders: [../other.safetensors]",
        "model_kind: transcoder_set\ntranscoders: [/etc/passwd]",
        "model_kind: transcoder_set\ntranscoders: [hf://nobody/nothing/layer_0.safetensors]",
        "model_kind: cross_layer_transcoder",
        "x" * 1_000_001,
    ],
    ids=lambda text: text[:60],
)
def test_hostile_configurations_are_refused(text: str, layers: Layers, tmp_path: Path) -> None:
    write_per_layer(tmp_path, layers)
    (tmp_path / "config.yaml").write_text(text)
    refused(tmp_path)
    assert not Path("/tmp/headscope-went-off").exists()


@pytest.mark.parametrize(
    ("architecture", "config", "says"),
    [
        ("gated", {}, "no transcoder"),
        ("standard", {"metadata": {"hook_name": "blocks.0.hook_mlp_out"}}, "no transcoder"),
        ("transcoder", {"metadata": {"hook_name": "embed"}}, "in no block"),
        ("transcoder", {"metadata": 3}, "in no block"),
        ("transcoder", {"normalize_activations": "layer_norm"}, "normalize_activations"),
        ("transcoder", {"apply_b_dec_to_input": True}, "apply_b_dec_to_input"),
        ("topk", {"k": "many"}, "k in cfg.json"),
        ("skip_transcoder", {"architecture": "jumprelu_transcoder"}, "has no threshold"),
    ],
)
def test_what_is_no_transcoder_is_refused(
    architecture: str, config: dict[str, Any], says: str, layers: Layers, tmp_path: Path
) -> None:
    assert says in refused(write_sae_lens(tmp_path, layers[:1], architecture, **config))


def test_two_transcoders_of_a_layer_are_refused(layers: Layers, tmp_path: Path) -> None:
    write_sae_lens(tmp_path / "narrow", layers, "transcoder")
    write_sae_lens(tmp_path / "wide", layers, "transcoder")
    assert "several transcoders of layer 0" in refused(tmp_path)


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    assert "neither config.yaml nor cfg.json" in refused(tmp_path)
    assert "no folder" in refused(tmp_path / "nowhere")
    with pytest.raises(HeadscopeError, match="nor reachable on the Hub") as caught:
        hs.load_transcoders("nobody/nothing", revision="main")
    assert "\n" not in str(caught.value)


def test_the_hub_is_asked_for_weights_and_configurations_alone(
    layers: Layers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    (tmp_path / "sets" / "small").mkdir(parents=True)
    write_per_layer(tmp_path / "sets" / "small", layers)
    asked: dict[str, Any] = {}

    def snapshot_download(repository: str, **kwargs: Any) -> str:
        asked.update(kwargs, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    ours = hs.load_transcoders("owner/name/sets/small", revision="v1")
    assert (asked["repository"], asked["revision"]) == ("owner/name", "v1")
    assert not [pattern for pattern in asked["allow_patterns"] if pattern.endswith(("pt", "bin"))]
    assert (ours.name, ours.revision, len(ours)) == ("owner/name/sets/small", "v1", N)
