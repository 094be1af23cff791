"""Graphs as other tools write and read them: circuit-tracer's and Neuronpedia's, EAP-IG's."""

from headscope.interchange.files import load_graph, save_json

__all__ = ["load_graph", "save_json"]
