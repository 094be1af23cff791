"""The widgets: request traits, one analysis, one result; thin."""

from headscope.widgets.activation_patching import ActivationPatching
from headscope.widgets.attention import AttentionPatterns
from headscope.widgets.attribution_graph import AttributionGraph
from headscope.widgets.base import close_all
from headscope.widgets.circuit_discovery import CircuitDiscovery
from headscope.widgets.graph_view import GraphView
from headscope.widgets.logit_attribution import LogitAttribution
from headscope.widgets.logit_lens import LogitLens
from headscope.widgets.path_patching import PathPatching

__all__ = [
    "ActivationPatching",
    "AttentionPatterns",
    "AttributionGraph",
    "CircuitDiscovery",
    "GraphView",
    "LogitAttribution",
    "LogitLens",
    "PathPatching",
    "close_all",
]
