"""What is measured of a circuit after it was found, in its result: it goes into files and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headscope.analyses.circuit_choice import Scores
from headscope.analyses.circuit_result import exact_measure, loss_measure, places
from headscope.analyses.circuit_run import Curve
from headscope.analyses.circuit_study import CircuitStudy
from headscope.results import CircuitGraph, EdgeMeasure, FaithfulnessPoint, Term


def with_exact(graph: CircuitGraph, study: CircuitStudy, edge: int, value: float) -> CircuitGraph:
    """The graph with the exact value of one more edge."""
    known = next((m for m in graph.measures if m.name == "exact"), None)
    values = np.full(len(graph.edges), np.nan)
    if known is not None:
        values[:] = known.values
    values[edge] = value
    return _with_measure(graph, exact_measure(study, values))


def with_losses(graph: CircuitGraph, study: CircuitStudy, losses: Scores) -> CircuitGraph:
    """The graph with what a circuit loses without each of its edges, in place of another's losses.

    Args:
        graph: The graph.
        study: What it is of.
        losses: NaN outside of the circuit, in the order of an `EdgeMap`.
    """
    return _with_measure(graph, loss_measure(study, losses[places(study.edges, graph)]))


def with_points(graph: CircuitGraph, points: Sequence[FaithfulnessPoint]) -> CircuitGraph:
    """The graph with more circuits that were run; `graph` itself where all of it was known."""
    known = {(point.requested, point.by): point for point in graph.faithfulness}
    for point in points:
        last = known.get((point.requested, point.by))
        if last is None or last.completeness is None is not point.completeness:
            known[point.requested, point.by] = point
    made = tuple(sorted(known.values(), key=lambda point: (point.requested, point.kept)))
    return graph if made == graph.faithfulness else replace(graph, faithfulness=made)


def with_curves(graph: CircuitGraph, by_size: Curve, by_score: Curve) -> CircuitGraph:
    """The graph with both curves and their areas."""
    points = [
        *(replace(point, by="magnitude") for point in by_size.points),
        *(replace(point, by="score") for point in by_score.points),
    ]
    areas = Term("CPR", by_score.cpr), Term("CMD", by_size.cmd)
    labels = [area.label for area in areas]
    others = [score for score in graph.scores if score.label not in labels]
    return replace(with_points(graph, points), scores=(*others, *areas))


def _with_measure(graph: CircuitGraph, made: EdgeMeasure) -> CircuitGraph:
    by_name = {known.name: known for known in graph.measures} | {made.name: made}
    return replace(graph, measures=tuple(by_name.values()))
