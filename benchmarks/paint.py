"""Seconds from a call in JupyterLab to its picture, beyond the forward pass."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from tests.e2e.lab import Lab, serve

from benchmarks.notebook import PATIENCE_S, Bench, open_bench
from benchmarks.report import Row, below

LENGTHS = (32, 128, 512, 1024)
#: CircuitsVis is given patterns that are there already, so nothing is taken off its seconds.
PEER_LENGTHS = (32, 128)
TARGETS = {512: below(1, "s")}
RUNS = 3


def run() -> list[Row]:
    """The median of a few runs; CircuitsVis once each, in a browser of its own."""
    with serve() as lab:
        theirs = {n: _circuitsvis(lab, n) for n in PEER_LENGTHS}
        with open_bench(lab) as bench:
            first = _headscope(bench, 32, 0)
            rows = [Row("paint, 32 tokens, a notebook's first widget, with forward", first, "s")]
            for n in LENGTHS:
                rows += _rows(bench, n, theirs)
    return rows


def _rows(bench: Bench, n: int, theirs: dict[int, float | None]) -> list[Row]:
    # Each run beside a forward pass of its own time: other work on the machine slows both.
    forwards, beyond = [], []
    for shift in range(1, RUNS + 1):
        forwards.append(bench.forward_s(n))
        beyond.append(_headscope(bench, n, shift) - forwards[-1])
    what = f"paint beyond the forward, {n} tokens"
    row = Row(what, median(beyond), "s", target=TARGETS.get(n))
    if n in theirs:
        note = f"not there after {PATIENCE_S} s" if theirs[n] is None else ""
        row = replace(row, peer="CircuitsVis", theirs=theirs[n], note=note)
    return [Row(f"forward, {n} tokens", median(forwards), "s"), row]


def _headscope(bench: Bench, n: int, shift: int) -> float:
    bench.python("if 'widget' in globals(): widget.close()")
    code = f"widget = hs.AttentionPatterns(model, token_ids({n}, {shift})); widget"
    seconds = bench.run_cell(code, "headscope")
    if seconds is None:
        raise TimeoutError(f"{n} tokens were not painted after {PATIENCE_S} s.")
    return seconds


def _circuitsvis(lab: Lab, n: int) -> float | None:
    with open_bench(lab) as bench:
        bench.python(f"weights = patterns(model, token_ids({n}))")
        return bench.run_cell("HTML(circuitsvis_html(weights))", "circuitsvis")
