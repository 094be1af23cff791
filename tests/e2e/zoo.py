"""One widget of every kind, on the demo model."""

from __future__ import annotations

from typing import Any

import headscope as hs

CAPITAL = "The capital of the state containing Dallas is"


def every_widget() -> dict[str, Any]:
    """Widgets by name, computed."""
    import torch

    torch.set_num_threads(1)
    model, transcoders = hs.load_demo(), hs.load_demo_transcoders()
    pair = hs.demo.prompts["ioi"][0]
    both = (model, pair.clean, pair.corrupted)
    widgets: list[Any] = [
        hs.AttentionPatterns(model, pair.clean, selection={"layer": 2, "head": 1, "dest": 5}),
        hs.LogitLens(model, CAPITAL, selection={"layer": 3, "token": 4}),
        hs.LogitAttribution(model, CAPITAL, answer=" Austin", wrong=" Sacramento"),
        hs.ActivationPatching(*both, selection={"layer": 1, "token": 3}),
        hs.PathPatching(*both, receivers="L3H1.q"),
        hs.CircuitDiscovery(*both),
        hs.AttributionGraph(model, CAPITAL, transcoders, max_nodes=200),
    ]
    for widget in widgets:
        widget.run()
    widgets.append(hs.GraphView(widgets[-1].result))
    return {type(widget).__name__: widget for widget in widgets}
