"""Milliseconds from a slider's move in the page to the new number, beyond the forward pass.

Both come after the same rest, in turn: caches are cold then, as they are for a reader's first move.
"""

from __future__ import annotations

from statistics import median

from tests.e2e.lab import serve

from benchmarks.interventions import LAYERS, LENGTH
from benchmarks.notebook import Bench, open_bench
from benchmarks.report import Row, below

MOVES = 9
#: Milliseconds before a move: what follows an answer is over by then.
REST_MS = 300
MOST_MS = 60


def run() -> list[Row]:
    """The medians of a few moves of a steering vector's strength, at three layers."""
    with serve() as lab, open_bench(lab) as bench:
        bench.python("from benchmarks.interventions import bare_forward, seconds, steered")
        return [_row(bench, layer) for layer in LAYERS]


def _row(bench: Bench, layer: int) -> Row:
    ids = f"token_ids({LENGTH})"
    cell = f"widget = hs.Intervene(model, {ids}, steered({layer}, 40.0)); widget"
    bench.run_cell(cell, "numbers")
    bench.python(f"forward = bare_forward(model, {layer})")
    forwards, moves = [], []
    for move in range(MOVES):
        bench.page.wait_for_timeout(REST_MS)
        forwards.append(float(bench.python("print(seconds(forward))")))
        bench.page.wait_for_timeout(REST_MS)
        bench.begin("timeSlide", value=20 + 2 * move)
        taken = bench.end()
        if taken is None:
            raise TimeoutError("The number did not follow the slider.")
        moves.append(taken)
    beyond = 1000 * (median(moves) - median(forwards))
    return Row(
        f"slider in the page to number beyond the forward, steering at layer {layer}",
        beyond,
        "ms",
        note=f"{1000 * median(moves):.0f} ms in all",
        target=below(MOST_MS, "ms"),
    )
