"""Transcoders written to disk by hand, in the formats of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

Layers = list[dict[str, Tensor]]
"""Per layer: enc `[feature, d]`, b_enc, dec `[feature, target, d]`, b_dec, threshold, skip."""


def random_layers(n: int, features: int, width: int, *, cross: bool = False) -> Layers:
    torch.manual_seed(n + features)
    return [
        {
            "enc": torch.randn(features, width),
            "b_enc": torch.randn(features),
            "dec": torch.randn(features, n - layer if cross else 1, width),
            "b_dec": torch.randn(width),
            "threshold": torch.rand(features),
            "skip": torch.randn(width, width),
        }
        for layer in range(n)
    ]


def write_per_layer(
    folder: Path, layers: Layers, *, jump: bool = False, skip: bool = False, **config: Any
) -> Path:
    for i, layer in enumerate(layers):
        tensors = {"W_enc": layer["enc"], "W_dec": layer["dec"][:, 0].contiguous()}
        tensors |= {"b_enc": layer["b_enc"], "b_dec": layer["b_dec"]}
        if jump:
            tensors["activation_function.threshold"] = layer["threshold"][None]
        if skip:
            tensors["W_skip"] = layer["skip"]
        save_file(tensors, folder / f"layer_{i}.safetensors")
    return _write_config(folder, model_kind="transcoder_set", **config)


def write_cross_layer(
    folder: Path, layers: Layers, *, jump: bool = False, skip: bool = False, **config: Any
) -> Path:
    for i, layer in enumerate(layers):
        tensors = {f"W_enc_{i}": layer["enc"], f"b_enc_{i}": layer["b_enc"]}
        tensors[f"b_dec_{i}"] = layer["b_dec"]
        if jump:
            tensors[f"threshold_{i}"] = layer["threshold"]
        if skip:
            tensors[f"W_skip_{i}"] = layer["skip"].T.contiguous()
        save_file(tensors, folder / f"W_enc_{i}.safetensors")
        save_file({f"W_dec_{i}": layer["dec"]}, folder / f"W_dec_{i}.safetensors")
    return _write_config(folder, model_kind="cross_layer_transcoder", **config)


def _write_config(folder: Path, **config: Any) -> Path:
    hooks = {"feature_input_hook": "mlp.hook_in", "feature_output_hook": "mlp.hook_out"}
    (folder / "config.yaml").write_text(yaml.safe_dump({**hooks, **config}))
    return folder


def write_sae_lens(folder: Path, layers: Layers, architecture: str, /, **config: Any) -> Path:
    for i, layer in enumerate(layers):
        inner = folder / f"layer_{i}"
        inner.mkdir(parents=True, exist_ok=True)
        tensors = {"W_enc": layer["enc"].T.contiguous(), "W_dec": layer["dec"][:, 0].contiguous()}
        tensors |= {"b_enc": layer["b_enc"], "b_dec": layer["b_dec"]}
        if "jumprelu" in architecture:
            tensors["threshold"] = layer["threshold"]
        if "skip" in architecture:
            tensors["W_skip"] = layer["skip"]
        save_file(tensors, inner / "sae_weights.safetensors")
        metadata = {
            "hook_name": f"blocks.{i}.ln2.hook_normalized",
            "hook_name_out": f"blocks.{i}.hook_mlp_out",
        }
        made = {"architecture": architecture, "apply_b_dec_to_input": False, "metadata": metadata}
        (inner / "cfg.json").write_text(json.dumps({**made, **config}))
    return folder
