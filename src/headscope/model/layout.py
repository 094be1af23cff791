"""Which components a model has."""

from __future__ import annotations

from typing import Any

from headscope.components import Layout
from headscope.model.capabilities import capabilities


def layout(bridge: Any) -> Layout:
    """The components of `bridge`'s blocks.

    Raises:
        ModelError: The model is not a decoder-only language model.
    """
    config, hooks = bridge.cfg, bridge.hook_dict  # which is worked out anew each time
    n_heads = int(config.n_heads)
    return Layout(
        n_layers=int(config.n_layers),
        n_heads=n_heads,
        n_kv_heads=int(getattr(config, "n_key_value_heads", None) or n_heads),
        parallel=capabilities(bridge).parallel_blocks,
        mlps=all(f"blocks.{i}.hook_mlp_out" in hooks for i in range(config.n_layers)),
        n_neurons=int(getattr(config, "d_mlp", None) or 0),
    )
