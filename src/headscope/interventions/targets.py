"""What an intervention acts on, as users write it.

L9H6, MLP5, embed, ...      a component, as in `headscope.components`: a head's output z, its
                            queries L9H6.q, keys and values; all heads of a layer: L9, L9.v
L3N17                       a neuron: its activation after the nonlinearity
L3.resid_pre                the residual stream before block 3; likewise L3.resid_mid,
                            L3.resid_post, and what is added to it: L3.attn_out, L3.mlp_out
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headscope.components import Component, Layout, meant
from headscope.errors import RequestError

STREAMS = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
_STREAM = re.compile(rf"L(?P<layer>\d+)\.(?P<site>{'|'.join(STREAMS)})")
_NEURON = re.compile(r"L(?P<layer>\d+)N(?P<index>\d+)")
_FEATURE = re.compile(r"L(?P<layer>\d+)F(?P<index>\d+)")
_LETTERS = {"q": "q", "k": "k", "v": "v", None: "z"}


@dataclass(frozen=True)
class Target:
    """Part of an activation.

    Args:
        site: Its place in the block, as the patching engine names it.
        layer: The block.
        units: Heads, key-value heads or neurons; None for all there are.
    """

    site: str
    layer: int
    units: tuple[int, ...] | None = None


def checked_target(name: str) -> str:
    """`name`, if it is well written; whether a model has it is seen there.

    Raises:
        RequestError: It is none.
    """
    if not isinstance(name, str):
        raise RequestError(f"{name!r} is no component.", "Write its name, such as 'L9H6'.")
    text = name.strip()
    if _STREAM.fullmatch(text) or _NEURON.fullmatch(text):
        return text
    try:
        found = Component.parse(text)
    except RequestError:
        found = Component("logits")
    if found.kind == "logits":
        raise RequestError(
            f"There is no component {name!r} to act on.",
            f"{meant(text, checked_target)}"
            "Write L9H6, L9H6.q, L9.k, MLP5, L3N17, L3.resid_pre or embed.",
        )
    return text


def target(name: str, layout: Layout) -> Target:
    """What `name` stands for in a model.

    Raises:
        RequestError: The model has no such component.
    """
    if match := _STREAM.fullmatch(name):
        return Target(match["site"], _layer(name, match, layout))
    if match := _NEURON.fullmatch(name):
        layer, neuron = _layer(name, match, layout), int(match["index"])
        if layout.n_neurons is not None and neuron >= layout.n_neurons:
            raise RequestError(
                f"There is no {name}.", f"Each MLP has neurons 0 to {layout.n_neurons - 1}."
            )
        return Target("mlp_post", layer, (neuron,))
    part = layout.resolve(Component.parse(name))
    if part.kind == "embed":
        return Target("resid_pre", 0)
    layer = part.layer or 0
    if part.kind == "mlp":
        return Target("mlp_out", layer)
    site = _LETTERS[part.input]
    if site in ("k", "v") and part.kv_head is not None:
        return Target(site, layer, (part.kv_head,))
    every = part.head is None and part.kv_head is None
    return Target(site, layer, None if every else layout.heads(part))


def feature(name: str) -> tuple[int, int] | None:
    """Layer and number of a transcoder's feature, `L3F212`; None if it is not written like one."""
    match = _FEATURE.fullmatch(name)
    return match and (int(match["layer"]), int(match["index"]))


def neuron(name: str) -> bool:
    """Whether `name` is written like a neuron's, `L3N17`."""
    return bool(_NEURON.fullmatch(name))


def heads_of(name: str) -> tuple[int, int | None]:
    """Layer and head of `L9H6`, or layer and None of `L9`.

    Raises:
        RequestError: It is neither.
    """
    part = Component.parse(name)
    if part.kind != "head" or part.input or part.kv_head is not None:
        raise RequestError(
            f"{name} has no attention pattern.", "Write a head, L9H6, or a layer, L9."
        )
    return part.layer or 0, part.head


def _layer(name: str, match: re.Match[str], layout: Layout) -> int:
    layer = int(match["layer"])
    if layer >= layout.n_layers:
        raise RequestError(
            f"There is no {name}.", f"The model has layers 0 to {layout.n_layers - 1}."
        )
    return layer
