"""The places in a transformer whose activation can be read, replaced or differentiated by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from headscope.errors import RequestError
from headscope.model.capabilities import name_of

PatchSite = Literal[
    "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out",
    "q", "k", "v", "z", "pattern", "mlp_post",
]  # fmt: skip


@dataclass(frozen=True)
class SiteSpec:
    """What the activation at a site looks like.

    Args:
        hook: TransformerLens's hook name within a block.
        axes: Names of its axes after the batch's: `position` (`dest` and `src` for patterns),
            `head`, `kv_head`, `unit`; `vector` for the width of a vector.
        title: What a reader sees.
        after_attention: Whether it lies behind the block's attention, so that in the last block
            it matters only at positions that are read.
    """

    hook: str
    axes: tuple[str, ...]
    title: str
    after_attention: bool

    @property
    def unit(self) -> str | None:
        """The axis along which the parts lie that can be patched alone: heads or neurons."""
        return next((axis for axis in self.axes if axis in ("head", "kv_head", "unit")), None)


_STREAM = ("position", "vector")

SITES: dict[PatchSite, SiteSpec] = {
    "resid_pre": SiteSpec("hook_resid_pre", _STREAM, "residual stream before a block", False),
    "resid_mid": SiteSpec("hook_resid_mid", _STREAM, "residual stream after attention", True),
    "resid_post": SiteSpec("hook_resid_post", _STREAM, "residual stream after a block", True),
    "attn_out": SiteSpec("hook_attn_out", _STREAM, "attention output", True),
    "mlp_out": SiteSpec("hook_mlp_out", _STREAM, "MLP output", True),
    "q": SiteSpec("attn.hook_q", ("position", "head", "vector"), "queries", False),
    "k": SiteSpec("attn.hook_k", ("position", "kv_head", "vector"), "keys", False),
    "v": SiteSpec("attn.hook_v", ("position", "kv_head", "vector"), "values", False),
    "z": SiteSpec("attn.hook_z", ("position", "head", "vector"), "head output", True),
    "pattern": SiteSpec("attn.hook_pattern", ("head", "dest", "src"), "attention pattern", False),
    "mlp_post": SiteSpec("mlp.hook_post", ("position", "unit"), "MLP neurons", True),
}


def hook_name(bridge: Any, site: PatchSite, layer: int) -> str:
    """The hook of `site` in `layer`.

    Raises:
        RequestError: The model has no such place.
    """
    name = f"blocks.{layer}.{SITES[site].hook}"
    if name not in bridge.hook_dict:
        raise RequestError(
            f"{name_of(bridge)} has no {site} in layer {layer}.",
            "Where attention and MLP run side by side there is no resid_mid; choose another site.",
        )
    return name
