"""The widgets: request traits, one analysis, one result; thin.

Imported when first used, so that a graph or a saved result is shown with no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headscope.widgets.activation_patching import ActivationPatching
    from headscope.widgets.attention import AttentionPatterns
    from headscope.widgets.attribution_graph import AttributionGraph
    from headscope.widgets.circuit_discovery import CircuitDiscovery
    from headscope.widgets.compare import Compare
    from headscope.widgets.explorer import Explorer
    from headscope.widgets.generation import Generation
    from headscope.widgets.graph_view import GraphView
    from headscope.widgets.inference_stages import InferenceStages
    from headscope.widgets.intervene import Intervene
    from headscope.widgets.layer_robustness import LayerRobustness
    from headscope.widgets.linking import link, unlink
    from headscope.widgets.living import close_all
    from headscope.widgets.logit_attribution import LogitAttribution
    from headscope.widgets.logit_lens import LogitLens
    from headscope.widgets.nearest_tokens import NearestTokens
    from headscope.widgets.panes import Panes
    from headscope.widgets.path_patching import PathPatching
    from headscope.widgets.result_view import ResultView
    from headscope.widgets.self_repair import SelfRepair
    from headscope.widgets.task_vectors import TaskVectors

__all__ = [
    "ActivationPatching",
    "AttentionPatterns",
    "AttributionGraph",
    "CircuitDiscovery",
    "Compare",
    "Explorer",
    "Generation",
    "GraphView",
    "InferenceStages",
    "Intervene",
    "LayerRobustness",
    "LogitAttribution",
    "LogitLens",
    "NearestTokens",
    "Panes",
    "PathPatching",
    "ResultView",
    "SelfRepair",
    "TaskVectors",
    "close_all",
    "link",
    "unlink",
]

_HOMES = {
    "ActivationPatching": "activation_patching",
    "AttentionPatterns": "attention",
    "AttributionGraph": "attribution_graph",
    "CircuitDiscovery": "circuit_discovery",
    "Compare": "compare",
    "Explorer": "explorer",
    "Generation": "generation",
    "GraphView": "graph_view",
    "InferenceStages": "inference_stages",
    "Intervene": "intervene",
    "LayerRobustness": "layer_robustness",
    "LogitAttribution": "logit_attribution",
    "LogitLens": "logit_lens",
    "NearestTokens": "nearest_tokens",
    "Panes": "panes",
    "PathPatching": "path_patching",
    "ResultView": "result_view",
    "SelfRepair": "self_repair",
    "TaskVectors": "task_vectors",
    "close_all": "living",
    "link": "linking",
    "unlink": "linking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'headscope.widgets' has no attribute {name!r}")
    value = getattr(import_module(f"headscope.widgets.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
