"""Milliseconds from a slider's move in the page to the new number, beyond the forward pass."""

from __future__ import annotations

from statistics import median

from tests.e2e.lab import serve

from benchmarks.interventions import LAYERS, LENGTH
from benchmarks.notebook import Bench, open_bench
from benchmarks.report import Row, below

MOVES = 9
#: Milliseconds between moves: what follows an answer is over by then.
REST_MS = 300
MOST_MS = 60


def run() -> list[Row]:
    """The medians of a few moves of a steering vector's strength, at three layers."""
    with serve() as lab, open_bench(lab) as bench:
        bench.python("from benchmarks.interventions import steered, resumed_s")
        return [_row(bench, layer) for layer in LAYERS]


def _row(bench: Bench, layer: int) -> Row:
    ids = f"token_ids({LENGTH})"
    cell = f"widget = hs.Intervene(model, {ids}, steered({layer}, 40.0)); widget"
    bench.run_cell(cell, "numbers")
    beyond = []
    for move in range(MOVES):
        bench.page.wait_for_timeout(REST_MS)
        forward_s = float(bench.python(f"print(resumed_s(model, {layer}))"))
        bench.begin("timeSlide", value=20 + 2 * move)
        seconds = bench.end()
        if seconds is None:
            raise TimeoutError("The number did not follow the slider.")
        beyond.append(1000 * (seconds - forward_s))
    return Row(
        f"slider in the page to number beyond the forward, steering at layer {layer}",
        median(beyond),
        "ms",
        target=below(MOST_MS, "ms"),
    )
