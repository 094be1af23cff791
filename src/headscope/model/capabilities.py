"""What a bridge can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headscope.errors import ModelError

ONE_STACK = "Headscope reads models that are one stack of blocks: hs.load('gpt2'), for example."


@dataclass(frozen=True)
class Capabilities:
    """What a model has.

    Args:
        attention: Every layer exposes its attention pattern and value vectors.
        grouped_query: Several query heads share one key-value head.
        gated_mlp: The MLP multiplies by a gate.
        parallel_blocks: Attention and MLP read the same residual stream (no `resid_mid`).
        rotary: Positions enter as rotations of queries and keys.
        processed_weights: TransformerLens has folded and centred the weights.
        causal: A position attends to itself and earlier ones only.
        normalization: `LN`, `RMS` (`LNPre`, `RMSPre`: without weights of their own), or `none`.
        tokenizer: Strings can be tokenised.
    """

    attention: bool
    grouped_query: bool
    gated_mlp: bool
    parallel_blocks: bool
    rotary: bool
    processed_weights: bool
    causal: bool
    normalization: str
    tokenizer: bool


def name_of(bridge: Any) -> str:
    """Name of the wrapped model; of a directory only its last part, which names no user."""
    name = str(bridge.cfg.model_name)
    path = Path(name)
    return path.name if path.is_absolute() or path.is_dir() else name


def capabilities(bridge: Any) -> Capabilities:
    """Read the capabilities of `bridge`.

    Raises:
        ModelError: The model is not one stack of blocks with an unembedding.
    """
    config = bridge.cfg
    modules = dict(bridge.named_children())
    if "encoder_blocks" in modules or "decoder_blocks" in modules:
        raise ModelError(f"{name_of(bridge)} is an encoder-decoder model.", ONE_STACK)
    if "blocks" not in modules or "unembed" not in modules:
        raise ModelError(
            f"{name_of(bridge)} has no stack of blocks with an unembedding.", ONE_STACK
        )
    hooks = bridge.hook_dict
    layers = range(int(config.n_layers))
    heads = int(config.n_heads)
    return Capabilities(
        attention=all(
            f"blocks.{layer}.attn.{name}" in hooks
            for layer in layers
            for name in ("hook_pattern", "hook_v")
        ),
        grouped_query=(getattr(config, "n_key_value_heads", None) or heads) != heads,
        gated_mlp=bool(getattr(config, "gated_mlp", False)),
        parallel_blocks=any(f"blocks.{layer}.hook_resid_mid" not in hooks for layer in layers),
        rotary=getattr(config, "positional_embedding_type", "") == "rotary",
        processed_weights=bool(getattr(bridge, "compatibility_mode", False)),
        causal=getattr(config, "attention_dir", "causal") == "causal",
        normalization=str(getattr(config, "normalization_type", None) or "none"),
        tokenizer=bridge.tokenizer is not None,
    )
