"""Results as native Plotly figures: editable, labelled, with signed data centred on 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from headscope.arguments import fit
from headscope.errors import ResultError
from headscope.export.glyphs import in_plotly
from headscope.export.plotly_graph import graph_figure
from headscope.results import MEAN, Axis, Grid, Measure, Patterns, Result, Scale

#: As in the widgets: the diverging one runs from red (negative) through white to blue (positive).
_SEQUENTIAL, _DIVERGING = "Blues", "RdBu"
_TOP_SHOWN = 3
_ROW_TALL, _FRAME_TALL, _SHORTEST, _TALLEST = 22, 180, 320, 1200
_MOST_TICKS = 120


def figure(result: Result, **choices: Any) -> Any:
    """A heatmap, or a layered graph, of `result` as a `plotly.graph_objects.Figure`.

    Args:
        result: A `Grid`, `Patterns`, or a `CircuitGraph`.
        choices: Grid: `measure` (name; the first by default) and, for each axis before the last
            two, its name with an index. Patterns: `layer` and `head` (the first head held in full
            by default). Graphs: `measure`, and `kept`, whether only the circuit is drawn.

    Raises:
        ResultError: The result does not hold what was chosen.
    """
    if isinstance(result, Grid):
        return _grid_figure(result, **choices)
    if isinstance(result, Patterns):
        return _patterns_figure(result, **choices)
    known = ("measure", "kept")
    if unknown := {name: value for name, value in choices.items() if name not in known}:
        raise _no_such_choice(unknown, known)
    return graph_figure(result, **choices)


def _grid_figure(grid: Grid, measure: str | None = None, **chosen: int) -> Any:
    if grid.drawn == "curves" and not chosen:
        return _curves_figure(grid, measure)
    if grid.drawn == "bars" and not chosen:
        return _bars_figure(grid, measure)
    shown = _measure(grid, measure)
    *choosers, rows, columns = grid.axes
    index = tuple(_choice(axis, chosen.pop(axis.name, 0)) for axis in choosers)
    if chosen:
        raise _no_such_choice(chosen, ["measure", *(axis.name for axis in choosers)])
    where = [f"{axis.name} {axis.labels[i]}" for axis, i in zip(choosers, index, strict=True)]
    return _heatmap(
        shown.values[index],
        rows=rows,
        columns=columns,
        title=", ".join([grid.title, *where]),
        value_name=shown.title,
        unit=shown.unit,
        colours=_colours(shown.scale),
        log=shown.scale.log,
        details=_top_lines(grid, index),
    )


def _curves_figure(grid: Grid, measure: str | None) -> Any:
    """A line for each measure (or the one that is named), over the last axis."""
    import plotly.graph_objects as go

    rows, columns = grid.axes
    shown = grid.measures if measure is None else [_measure(grid, measure)]
    lines = [
        go.Scatter(
            x=list(columns.labels), y=one.values[row], mode="lines+markers",
            name=f"{one.title} ({one.unit})" if label == MEAN else f"{one.title}, {label}",
            line={"dash": "solid" if label == MEAN else "dot"},
        )
        for one in shown
        for row, label in enumerate(rows.labels)
        if label == MEAN or measure is not None
    ]  # fmt: skip
    layout = {"title": {"text": in_plotly(grid.title)}, "xaxis": {"title": {"text": columns.name}}}
    return go.Figure(lines, layout=layout)


def _bars_figure(grid: Grid, measure: str | None) -> Any:
    """A bar for each row before and one after."""
    import plotly.graph_objects as go

    shown, labels = _measure(grid, measure), _labels(grid.axes[0])
    bars = [
        go.Bar(x=shown.values[:, run], y=list(range(len(labels))), name=name, orientation="h")
        for run, name in enumerate(grid.axes[1].labels[:2])
    ]
    layout = {
        "title": {"text": in_plotly(grid.title)},
        "xaxis": {"title": {"text": shown.title}},
        "yaxis": {"autorange": "reversed", **_ticks(labels)},
        "barmode": "group",
    }
    return go.Figure(bars, layout=layout)


def _patterns_figure(
    patterns: Patterns, layer: int | None = None, head: int | None = None, **unknown: Any
) -> Any:
    if unknown:
        raise _no_such_choice(unknown, ["layer", "head"])
    held = [(h.layer, h.head) for h in patterns.heads]
    matching = [(x, y) for x, y in held if layer in (None, x) and head in (None, y)]
    if not matching:
        named = ", ".join(f"L{x}H{y}" for x, y in held) or "none"
        raise ResultError(
            "That head is not held in full in this result.",
            f"These are: {named}. widget.head(layer, head) computes any.",
        )
    layer, head = matching[0]
    weights = patterns[layer, head]
    if patterns.causal:
        weights = np.where(np.tri(len(weights), dtype=bool), weights, np.float32(np.nan))
    return _heatmap(
        weights,
        rows=Axis("dest", patterns.tokens, tokens=True),
        columns=Axis("src", patterns.tokens, tokens=True),
        title=f"{patterns.title}, L{layer}H{head}",
        value_name="Δ Attention" if patterns.signed else "Attention",
        unit="",
        colours=_colours(
            Scale.diverging(weights) if patterns.signed else Scale("sequential", 0.0, 1.0)
        ),
    )


def _heatmap(
    values: npt.NDArray[Any],
    *,
    rows: Axis,
    columns: Axis,
    title: str,
    value_name: str,
    unit: str,
    colours: dict[str, Any],
    log: bool = False,
    details: npt.NDArray[Any] | None = None,
) -> Any:
    import plotly.graph_objects as go

    row_labels, column_labels = _labels(rows), _labels(columns)
    # Labels repeat, so cells are placed by index and the labels travel with each cell.
    custom = np.empty((*values.shape, 4), dtype=object)
    custom[..., 0] = np.array(row_labels, dtype=object)[:, None]
    custom[..., 1] = np.array(column_labels, dtype=object)[None, :]
    custom[..., 2] = "" if details is None else details
    custom[..., 3] = values
    suffix = f" {unit}" if unit and unit.lower() != value_name.lower() else ""
    heatmap = go.Heatmap(
        z=np.log1p(values) if log else values,
        customdata=custom,
        hovertemplate=(
            f"{rows.name} %{{y}}: %{{customdata[0]}}<br>"
            f"{columns.name} %{{x}}: %{{customdata[1]}}<br>"
            f"{value_name} %{{customdata[3]:.4g}}{suffix}%{{customdata[2]}}<extra></extra>"
        ),
        hoverongaps=False,
        colorbar={
            "title": {"text": f"{value_name}{suffix and f' ({unit})'}"},
            **(_log_ticks(values) if log else {}),
        },
        **colours,
    )
    height = min(max(_ROW_TALL * len(rows) + _FRAME_TALL, _SHORTEST), _TALLEST)
    return go.Figure(
        heatmap,
        layout={
            "title": {"text": in_plotly(title)},
            "xaxis": {"title": {"text": columns.name}, **_ticks(column_labels)},
            "yaxis": {
                "title": {"text": rows.name},
                "autorange": "reversed",
                **_ticks(row_labels),
            },
            "height": height,
        },
    )


def _ticks(labels: Sequence[str]) -> dict[str, Any]:
    step = -(-len(labels) // _MOST_TICKS)
    places = list(range(0, len(labels), step))
    return {"tickmode": "array", "tickvals": places, "ticktext": [labels[i] for i in places]}


def _log_ticks(values: npt.NDArray[Any]) -> dict[str, Any]:
    """Ticks at 0, 1, 10, 100 and so on, of a ramp over log(1 + value)."""
    largest = max(float(np.nanmax(values)), 1.0)
    places = [0, *(10**power for power in range(int(np.log10(largest)) + 1))]
    return {"tickvals": np.log1p(places), "ticktext": [str(place) for place in places]}


def _labels(axis: Axis) -> list[str]:
    return list(map(in_plotly, axis.labels))


def _colours(scale: Scale) -> dict[str, Any]:
    if scale.kind == "diverging":
        return {"colorscale": _DIVERGING, "zmid": 0.0, "zmin": scale.low, "zmax": scale.high}
    low, high = np.log1p([scale.low, scale.high]) if scale.log else (scale.low, scale.high)
    return {
        "colorscale": _SEQUENTIAL,
        "reversescale": scale.reverse,
        "zmin": float(low),
        "zmax": float(high),
    }


def _measure(grid: Grid, name: str | None) -> Measure:
    if name is None:
        return grid.measures[0]
    grid[name]  # refuses a name that is not there
    return next(measure for measure in grid.measures if measure.name == name)


def _choice(axis: Axis, given: Any) -> int:
    index: int = fit(axis.name, given, int)
    if not 0 <= index < len(axis):
        raise ResultError(f"{axis.name} {index} is out of range.", f"0 to {len(axis) - 1}.")
    return index


def _no_such_choice(given: dict[str, Any], known: Sequence[str]) -> ResultError:
    return ResultError(f"There is no choice {next(iter(given))!r}.", f"Choose {', '.join(known)}.")


def _top_lines(grid: Grid, index: tuple[int, ...]) -> npt.NDArray[Any] | None:
    if grid.top is None:
        return None
    ids, values = grid.top.ids[index], grid.top.values[index]
    texts = {int(token_id): in_plotly(text) for token_id, text in grid.top.texts.items()}
    lines = np.empty(ids.shape[:2], dtype=object)
    for cell in np.ndindex(*lines.shape):
        best = zip(ids[cell][:_TOP_SHOWN].tolist(), values[cell].tolist(), strict=False)
        lines[cell] = "".join(f"<br>{texts[token]} {share:.3g}" for token, share in best)
    return lines
