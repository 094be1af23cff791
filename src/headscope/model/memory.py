"""Saying that memory will not do before it runs out.

The estimates are of peaks, from above: within a factor of four of what PyTorch allocates (a test
counts it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch

from headscope.errors import RequestError
from headscope.model.runs import LOGITS, Site

FLOAT32 = 4

_SHARE_TO_USE = 0.9
#: Copies that exist at once in a layer: of the patterns (scores, mask, softmax, soft cap), of the
#: MLP's inner activations, and of the stream with queries, keys, values and norms.
_PATTERNS, _INNER, _STREAMS = 4, 5, 16
#: What a layer takes that is held for a backward pass, by what it takes otherwise.
_BACKWARD = 1.5


def free_bytes(device: str) -> int | None:
    """Memory that can still be had on `device`; None where that is not known."""
    kind = torch.device(device).type
    if kind == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return int(psutil.virtual_memory().available) if kind == "cpu" else None


def refuse_if_too_large(
    needs: Mapping[str, int],
    what: str,
    hint: str = "Use a shorter prompt, or free memory first.",
) -> None:
    """Refuse work that needs more than is free.

    Args:
        needs: Device to bytes.
        what: What needs it, as the start of a sentence.
        hint: What helps.

    Raises:
        RequestError: It would not fit.
    """
    for device, need in needs.items():
        free = free_bytes(device)
        if free is not None and need > _SHARE_TO_USE * free:
            raise RequestError(
                f"{what} needs about {_gigabytes(need)} on {device}, {_gigabytes(free)} are free.",
                hint,
            )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def pass_bytes(bridge: Any, n_tokens: int, n_layers: int, n_logits: int) -> int:
    """Most that one forward pass holds at a time, beside the weights.

    Args:
        bridge: The `TransformerBridge`.
        n_tokens: Length of the prompt.
        n_layers: How many layers run.
        n_logits: At how many positions there are logits.
    """
    config = bridge.cfg
    inner = getattr(config, "d_mlp", None) or 4 * config.d_model
    layer = (
        _PATTERNS * config.n_heads * n_tokens + _INNER * inner + _STREAMS * config.d_model
    ) * n_tokens
    logits = 2 * n_logits * config.d_vocab
    left = n_layers * pattern_bytes(bridge, n_tokens) if _keeps_patterns(bridge) else 0
    return left + FLOAT32 * int(layer + logits)


def recorded_bytes(bridge: Any, n_runs: int, n_tokens: int, n_sites: int, *, gradient: bool) -> int:
    """Most that recording runs takes, and differentiating them if `gradient`.

    Args:
        bridge: The `TransformerBridge`.
        n_runs: Runs side by side.
        n_tokens: Length of each.
        n_sites: Activations kept per layer, each taken to be as wide as the stream.
        gradient: Whether everything computed is held for a backward pass.
    """
    config = bridge.cfg
    layers = int(config.n_layers)
    kept = (3 + n_sites) * layers * n_tokens * int(config.d_model) * _itemsize(bridge)
    one_layer = pass_bytes(bridge, n_tokens, 1, 0)
    return n_runs * (kept + int(one_layer * (_BACKWARD * layers if gradient else 1)))


def pattern_bytes(bridge: Any, n_tokens: int) -> int:
    """The patterns of one layer, in the model's dtype."""
    return int(bridge.cfg.n_heads * n_tokens**2 * _itemsize(bridge))


def site_bytes(bridge: Any, site: Site, n_tokens: int) -> int:
    """What keeping an activation costs."""
    config = bridge.cfg
    if site.hook == LOGITS:
        return int(config.d_vocab * FLOAT32)
    width = {
        "hook_pattern": config.n_heads * n_tokens,
        "hook_z": config.n_heads * config.d_head,
        "hook_v": (getattr(config, "n_key_value_heads", None) or config.n_heads) * config.d_head,
    }.get(site.hook.rpartition(".")[2], config.d_model)
    return int(width * (n_tokens if site.index is None else 1) * _itemsize(bridge))


def _itemsize(bridge: Any) -> int:
    return int(next(iter(bridge.parameters())).element_size())


def _keeps_patterns(bridge: Any) -> bool:
    """Whether every layer holds on to its last pattern, as some of TransformerLens's do."""
    from transformer_lens.model_bridge.generalized_components.joint_qkv_attention import (
        JointQKVAttentionBridge,
    )

    return isinstance(getattr(bridge.blocks[0], "attn", None), JointQKVAttentionBridge)
