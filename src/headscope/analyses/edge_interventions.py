"""Interventions under which a model still has edges, and those under which it has none.

Edges are told apart in a stream that is the sum of what heads and MLPs write. Whatever acts on what
a component makes (queries, keys, values, patterns, z, neurons, an MLP's output) leaves it one, and
is a part of that component then; what is steered into the stream is in every view of it, and
nobody's (the embedding's, before the first block). The rest is refused.
"""

from __future__ import annotations

from collections.abc import Collection

from headscope.analyses.intervened import breaks_stream, moves_layers, refuse, replaces
from headscope.components import Layout
from headscope.interventions import Interventions
from headscope.interventions import kinds as k
from headscope.interventions.targets import feature

_OTHERWISE = "Switch it off here, or use ActivationPatching, which takes it."


def refuse_unfit(
    acting: Interventions,
    layout: Layout,
    *,
    neurons: Collection[int] = (),
    follows_flow: bool = False,
) -> None:
    """Refuse interventions under which edges are not defined.

    Args:
        acting: The interventions; those that are on count.
        layout: The model's components.
        neurons: Layers whose MLP is told apart by neurons.
        follows_flow: Whether edges are scored by flow routes.

    Raises:
        RequestError: One of them moves layers, or replaces what is no component's output.
    """

    def acts_on(item: k.Intervention, *sites: str) -> bool:
        return any(site in sites for site, _ in replaces(item, layout))

    refuse(acting, moves_layers, "edges need every layer once, in its own place", _OTHERWISE)
    refuse(
        acting,
        lambda item: breaks_stream(item, layout),
        "edges need a stream that is the sum of what heads and MLPs write",
        _OTHERWISE,
    )
    refuse(
        acting,
        lambda item: acts_on(item, "attn_out"),
        "edges are between single heads, not their sum",
        "Act on heads: L1H2, or L1 for all of a layer.",
    )
    refuse(
        acting,
        lambda item: isinstance(item, k.Clamp) and feature(item.unit) is not None,
        "edges know no features",
        _OTHERWISE,
    )
    refuse(
        acting,
        lambda item: any(("mlp_out", layer) in replaces(item, layout) for layer in neurons),
        "the neurons of that MLP are told apart",
        "Leave its layer out of neurons=..., or clamp its neurons.",
    )
    if follows_flow:
        refuse(
            acting,
            lambda item: isinstance(item, (k.Mean, k.Patch)) and acts_on(item, "z", "v", "mlp_out"),
            "flow routes cannot follow what comes from no token of the prompt",
            "Choose a method with gradients, such as 'eap_ig_inputs'.",
        )
