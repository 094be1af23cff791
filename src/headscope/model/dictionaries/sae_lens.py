"""SAELens's format: per layer a folder of `cfg.json` and `sae_weights.safetensors`.

W_enc is `[d_in, feature]` (the transpose of circuit-tracer's), W_dec `[feature, d_out]`, W_skip
`[d_out, d_in]`; b_enc, b_dec and threshold are vectors. The layer is the number in `hook_name`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from headscope.errors import ModelError
from headscope.model.dictionaries.activations import Activation, JumpReLU, ReLU, TopK
from headscope.model.dictionaries.files import Weights, read_config
from headscope.model.dictionaries.transcoders import LayerTranscoder, Transcoders

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
_TRANSCODERS = ("transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder")
_AUTOENCODERS = ("standard", "jumprelu", "topk")
_HOOK = re.compile(r"blocks\.(\d{1,4})\.(.+)")
#: What SAELens would do to inputs or activations beside encoding them; value when it does nothing.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "normalize_activations": (None, "none", "expected_average_only_in"),
    "finetuning_scaling_factor": (None, False),
    "apply_b_dec_to_input": (None, False),
    "rescale_acts_by_decoder_norm": (None, False),
    "reshape_activations": (None, "none"),
}


def read(configs: list[Path], name: str, revision: str | None) -> Transcoders:
    """The set made of the transcoders whose configurations these are.

    Raises:
        ModelError: One of them is malformed or no transcoder, or two are of one layer.
    """
    found: dict[int, tuple[LayerTranscoder, tuple[str, str]]] = {}
    for path in configs:
        layer, hooks = _read(path.parent)
        if layer.layer in found:
            raise ModelError(
                f"{name} has several transcoders of layer {layer.layer}.",
                "Pass the folder of one set: one transcoder per layer.",
            )
        found[layer.layer] = layer, hooks
    read_at, *others = {hooks for _, hooks in found.values()}
    if others:
        raise ModelError(
            f"The transcoders of {name} read or write at different hooks.",
            "Pass the folder of one set: one transcoder per layer.",
        )
    layers = tuple(found[layer][0] for layer in sorted(found))
    return Transcoders(name, layers, *read_at, revision)


def _read(folder: Path) -> tuple[LayerTranscoder, tuple[str, str]]:
    config = read_config(folder / CONFIG)
    architecture = config.get("architecture")
    metadata = config.get("metadata")
    told = {**config, **(metadata if isinstance(metadata, dict) else {})}
    layer, input_hook = _hook(told.get("hook_name"), folder)
    written = told.get("hook_name_out") or (
        f"blocks.{layer}.hook_mlp_out" if architecture in _TRANSCODERS else None
    )
    if architecture not in _TRANSCODERS + _AUTOENCODERS or written is None:
        raise ModelError(
            f"{folder / CONFIG} is of {architecture!r}, which is no transcoder: it must write to "
            "another hook than it reads.",
            f"Known: {', '.join(_TRANSCODERS)}; {', '.join(_AUTOENCODERS)} with hook_name_out.",
        )
    to_layer, output_hook = _hook(written, folder)
    if to_layer != layer:
        raise ModelError(f"{folder} reads layer {layer} and writes {to_layer}.", "It must be one.")
    for key, plain in _PLAIN.items():
        if config.get(key) not in plain:
            raise ModelError(
                f"{folder / CONFIG} has {key}={config[key]!r}, which is not supported.",
                "Fold it into the weights with SAELens first.",
            )
    weights = Weights(folder / WEIGHTS)
    transcoder = LayerTranscoder(
        layer=layer,
        w_enc=weights["W_enc"].mT,
        b_enc=weights["b_enc"],
        w_dec=weights["W_dec"].unsqueeze(1),
        b_dec=weights["b_dec"],
        activation=_activation(str(architecture), config, weights),
        w_skip=weights["W_skip"] if "skip" in str(architecture) else None,
    )
    return transcoder, (input_hook, output_hook)


def _activation(architecture: str, config: dict[str, Any], weights: Weights) -> Activation:
    if architecture.startswith("jumprelu"):
        # SAELens rectifies as well: below a negative threshold 0 decides.
        return JumpReLU(weights["threshold"].clamp(min=0))
    if architecture != "topk":
        return ReLU()
    k = config.get("k")
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ModelError(f"k in {CONFIG} is {k!r}.", "For topk it must be a positive number.")
    return TopK(k)


def _hook(name: object, folder: Path) -> tuple[int, str]:
    match = _HOOK.fullmatch(name) if isinstance(name, str) else None
    if not match:
        raise ModelError(
            f"The hook {name!r} in {folder / CONFIG} is in no block.",
            "Expected blocks.3.mlp.hook_in.",
        )
    return int(match[1]), match[2]
