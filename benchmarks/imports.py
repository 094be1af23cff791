"""Seconds that `import headscope` takes, beyond starting Python."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.report import Row, below


def run() -> list[Row]:
    """The best of several fresh processes each."""
    bare = _seconds("pass")
    ours = _seconds("import headscope") - bare
    theirs = _seconds("import circuitsvis", runs=2) - bare
    return [Row("import", ours, "s", "CircuitsVis", theirs, target=below(0.3, "s"))]


def _seconds(code: str, runs: int = 5) -> float:
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        best = min(best, time.perf_counter() - start)
    return best
