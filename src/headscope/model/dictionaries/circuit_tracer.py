"""circuit-tracer's format: `config.yaml` beside one file per layer.

Per-layer transcoders: `layer_{i}.safetensors` with W_enc and W_dec `[feature, d_model]`, b_enc,
b_dec, and where they apply W_skip `[written, read]` and activation_function.threshold.
A cross-layer transcoder: `W_enc_{i}.safetensors` with W_enc_{i}, b_enc_{i}, b_dec_{i}, and where
they apply threshold_{i} and W_skip_{i} `[read, written]`; `W_dec_{i}.safetensors` with W_dec_{i}
`[feature, target, d_model]`, whose targets are the layers from i on.
The config says `model_kind`, `feature_input_hook`, `feature_output_hook`, and `activation` (`relu`,
`jump_relu`, or `topk` with `k`) unless the thresholds tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from headscope.errors import ModelError
from headscope.model.dictionaries.activations import Activation, JumpReLU, ReLU, TopK
from headscope.model.dictionaries.files import Weights, read_config
from headscope.model.dictionaries.transcoders import LayerTranscoder, Transcoders

CONFIG = "config.yaml"
_KINDS = ("transcoder_set", "cross_layer_transcoder")


def read(
    folder: Path, name: str, revision: str | None, fetch: Callable[[str], Path]
) -> Transcoders:
    """The set in `folder`.

    Args:
        folder: Where config.yaml is.
        name: What the set is to be called.
        revision: Of the Hub, if it is from there.
        fetch: Gets a file that the config names as `hf://owner/name/file`.

    Raises:
        ModelError: A file is missing, malformed, or of an unknown kind.
    """
    config = read_config(folder / CONFIG)
    kind = config.get("model_kind")
    if kind not in _KINDS:
        raise ModelError(
            f"model_kind in {folder / CONFIG} is {kind!r}.", f"It must be {' or '.join(_KINDS)}."
        )
    if kind == "cross_layer_transcoder":
        numbers = range(_count(folder, "W_enc_"))
        layers = tuple(_cross_layer(folder, layer, config) for layer in numbers)
    else:
        paths = _paths(folder, config, fetch)
        layers = tuple(_per_layer(Weights(p), i, config) for i, p in enumerate(paths))
    return Transcoders(
        name=name,
        layers=layers,
        input_hook=str(config.get("feature_input_hook", "hook_resid_mid")),
        output_hook=str(config.get("feature_output_hook", "hook_mlp_out")),
        revision=revision,
    )


def _per_layer(weights: Weights, layer: int, config: dict[str, Any]) -> LayerTranscoder:
    return LayerTranscoder(
        layer=layer,
        w_enc=weights["W_enc"],
        b_enc=weights["b_enc"],
        w_dec=weights["W_dec"].unsqueeze(1),
        b_dec=weights["b_dec"],
        activation=_activation(config, weights.get("activation_function.threshold")),
        w_skip=weights.get("W_skip"),
    )


def _cross_layer(folder: Path, layer: int, config: dict[str, Any]) -> LayerTranscoder:
    weights = Weights(folder / f"W_enc_{layer}.safetensors")
    skip = weights.get(f"W_skip_{layer}")
    return LayerTranscoder(
        layer=layer,
        w_enc=weights[f"W_enc_{layer}"],
        b_enc=weights[f"b_enc_{layer}"],
        w_dec=Weights(folder / f"W_dec_{layer}.safetensors")[f"W_dec_{layer}"],
        b_dec=weights[f"b_dec_{layer}"],
        activation=_activation(config, weights.get(f"threshold_{layer}")),
        w_skip=None if skip is None else skip.mT,
    )


def _activation(config: dict[str, Any], threshold: torch.Tensor | None) -> Activation:
    named = config.get("activation")
    if named == "topk":
        k = config.get("k")
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ModelError(f"k in {CONFIG} is {k!r}.", "For topk it must be a positive number.")
        return TopK(k, rectified=False)
    if named not in (None, "relu", "jump_relu", "jumprelu"):
        raise ModelError(
            f"The activation {named!r} in {CONFIG} is not known.", "Known: relu, jump_relu, topk."
        )
    if named == "relu" or (named is None and threshold is None):
        return ReLU()
    if threshold is None:
        raise ModelError("jump_relu needs thresholds, and there are none.", "Is it relu?")
    return JumpReLU(threshold.flatten())


def _paths(folder: Path, config: dict[str, Any], fetch: Callable[[str], Path]) -> list[Path]:
    named = config.get("transcoders")
    if named is None:
        return [folder / f"layer_{i}.safetensors" for i in range(_count(folder, "layer_"))]
    if not isinstance(named, list) or not all(isinstance(entry, str) for entry in named):
        raise ModelError(f"transcoders in {CONFIG} is no list of files.", "List one per layer.")
    return [
        fetch(entry) if entry.startswith("hf://") else _inside(folder, entry) for entry in named
    ]


def _inside(folder: Path, entry: str) -> Path:
    """A file that the config names, which must lie where the config does."""
    if Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise ModelError(
            f"{CONFIG} names {entry}, which is not in {folder}.", "Name files beside it, or hf://."
        )
    return folder / entry


def _count(folder: Path, prefix: str) -> int:
    """How many layers there are: one more than the highest number in a file's name."""
    pattern = re.compile(re.escape(prefix) + r"(\d{1,4})\.safetensors")
    numbers = [int(m[1]) for p in folder.iterdir() if (m := pattern.fullmatch(p.name))]
    if not numbers:
        raise ModelError(f"There is no {prefix}0.safetensors in {folder}.", "Is the set complete?")
    return max(numbers) + 1
