"""Headscope: see how a transformer computes, inside the notebook.

    >>> import headscope as hs
    >>> model = hs.load_demo()                       # or hs.load("gpt2"), or your own bridge
    >>> hs.AttentionPatterns(model, "the cat sat. the cat")

Public names are imported when first used, so that `import headscope` is light and opening a saved
result needs neither torch nor a model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headscope._version import __version__
from headscope.errors import (
    Cancelled,
    HeadscopeError,
    ModelError,
    PromptError,
    RequestError,
    ResultError,
    WireError,
)

if TYPE_CHECKING:
    from headscope import demo
    from headscope.analyses.prompt_pairs import Pair, expand
    from headscope.analyses.rerun import rerun
    from headscope.demo import load_demo, load_demo_transcoders
    from headscope.export.html import save_page
    from headscope.interchange import load_graph
    from headscope.interventions import (
        Interventions,
        Means,
        Token,
        TokenDifference,
        Vector,
        direction,
    )
    from headscope.model import load
    from headscope.model.dictionaries import load_transcoders
    from headscope.results import CircuitGraph, Grid, Patterns
    from headscope.results.difference import difference
    from headscope.widgets import (
        ActivationPatching,
        AttentionPatterns,
        AttributionGraph,
        CircuitDiscovery,
        Compare,
        Explorer,
        Generation,
        GraphView,
        InferenceStages,
        Intervene,
        LayerRobustness,
        LogitAttribution,
        LogitLens,
        NearestTokens,
        Panes,
        PathPatching,
        ResultView,
        SelfRepair,
        TaskVectors,
        close_all,
        link,
        unlink,
    )
    from headscope.widgets.publish_mode import publish_mode
    from headscope.wire.files import load_result

__all__ = [
    "ActivationPatching",
    "AttentionPatterns",
    "AttributionGraph",
    "Cancelled",
    "CircuitDiscovery",
    "CircuitGraph",
    "Compare",
    "Explorer",
    "Generation",
    "GraphView",
    "Grid",
    "HeadscopeError",
    "InferenceStages",
    "Intervene",
    "Interventions",
    "LayerRobustness",
    "LogitAttribution",
    "LogitLens",
    "Means",
    "ModelError",
    "NearestTokens",
    "Pair",
    "Panes",
    "PathPatching",
    "Patterns",
    "PromptError",
    "RequestError",
    "ResultError",
    "ResultView",
    "SelfRepair",
    "TaskVectors",
    "Token",
    "TokenDifference",
    "Vector",
    "WireError",
    "__version__",
    "close_all",
    "demo",
    "difference",
    "direction",
    "expand",
    "link",
    "load",
    "load_demo",
    "load_demo_transcoders",
    "load_graph",
    "load_result",
    "load_transcoders",
    "publish_mode",
    "rerun",
    "save_page",
    "unlink",
]

_HOMES = {
    "ActivationPatching": "headscope.widgets",
    "AttentionPatterns": "headscope.widgets",
    "AttributionGraph": "headscope.widgets",
    "CircuitDiscovery": "headscope.widgets",
    "CircuitGraph": "headscope.results",
    "Compare": "headscope.widgets",
    "Explorer": "headscope.widgets",
    "Generation": "headscope.widgets",
    "GraphView": "headscope.widgets",
    "Intervene": "headscope.widgets",
    "Grid": "headscope.results",
    "InferenceStages": "headscope.widgets",
    "Interventions": "headscope.interventions",
    "LayerRobustness": "headscope.widgets",
    "LogitAttribution": "headscope.widgets",
    "LogitLens": "headscope.widgets",
    "Means": "headscope.interventions",
    "NearestTokens": "headscope.widgets",
    "Pair": "headscope.analyses.prompt_pairs",
    "Panes": "headscope.widgets",
    "PathPatching": "headscope.widgets",
    "Patterns": "headscope.results",
    "ResultView": "headscope.widgets",
    "SelfRepair": "headscope.widgets",
    "TaskVectors": "headscope.widgets",
    "Token": "headscope.interventions",
    "TokenDifference": "headscope.interventions",
    "Vector": "headscope.interventions",
    "close_all": "headscope.widgets",
    "difference": "headscope.results.difference",
    "direction": "headscope.interventions",
    "expand": "headscope.analyses.prompt_pairs",
    "link": "headscope.widgets",
    "load": "headscope.model",
    "load_demo": "headscope.demo",
    "load_demo_transcoders": "headscope.demo",
    "load_graph": "headscope.interchange",
    "load_result": "headscope.wire.files",
    "load_transcoders": "headscope.model.dictionaries",
    "publish_mode": "headscope.widgets.publish_mode",
    "rerun": "headscope.analyses.rerun",
    "save_page": "headscope.export.html",
    "unlink": "headscope.widgets",
}


def __getattr__(name: str) -> Any:
    if name == "demo":
        return import_module("headscope.demo")
    if name not in _HOMES:
        raise AttributeError(f"module 'headscope' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
