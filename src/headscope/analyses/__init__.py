"""Analyses: each turns a frozen request into steps that end in a result.

`run(model, request)` is a generator: it yields a `Step` wherever the runner may pause, report or
stop, and never inside a hook or a gradient mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headscope.analyses import (
    activation_patching,
    attention,
    attribution_graph,
    circuit_discovery,
    generation,
    layer_robustness,
    logit_attribution,
    logit_lens,
    nearest_tokens,
    path_patching,
    prediction_effect,
    self_repair,
    stages,
    task_vectors,
)
from headscope.jobs.steps import Steps
from headscope.results import Result


@dataclass(frozen=True)
class Analysis:
    """An entry of the registry.

    Args:
        request: Its request: a frozen dataclass whose first field is what it is of: `prompt`, or
            `pairs`, `of` (a direction), `examples`.
        run: `(model, request)` to steps that return a result.
    """

    request: type[Any]
    run: Callable[[Any, Any], Steps[Result]]


REGISTRY: Mapping[str, Analysis] = {
    "activation_patching": Analysis(
        activation_patching.ActivationPatchingRequest, activation_patching.run
    ),
    "attention": Analysis(attention.AttentionRequest, attention.run),
    "attribution_graph": Analysis(attribution_graph.AttributionRequest, attribution_graph.run),
    "circuit_discovery": Analysis(circuit_discovery.CircuitDiscoveryRequest, circuit_discovery.run),
    "generation": Analysis(generation.GenerationRequest, generation.run),
    "layer_robustness": Analysis(layer_robustness.LayerRobustnessRequest, layer_robustness.run),
    "logit_lens": Analysis(logit_lens.LogitLensRequest, logit_lens.run),
    "logit_attribution": Analysis(logit_attribution.LogitAttributionRequest, logit_attribution.run),
    "nearest_tokens": Analysis(nearest_tokens.NearestTokensRequest, nearest_tokens.run),
    "path_patching": Analysis(path_patching.PathPatchingRequest, path_patching.run),
    "prediction_effect": Analysis(prediction_effect.PredictionEffectRequest, prediction_effect.run),
    "self_repair": Analysis(self_repair.SelfRepairRequest, self_repair.run),
    "stages": Analysis(stages.InferenceStagesRequest, stages.run),
    "task_vectors": Analysis(task_vectors.TaskVectorsRequest, task_vectors.run),
}
