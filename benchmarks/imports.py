"""Seconds that `import headscope` takes in a fresh Python."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.report import Row, below

TIMED = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def run() -> list[Row]:
    """The best of several processes each."""
    ours, theirs = _seconds("headscope", 5), _seconds("circuitsvis", 2)
    return [Row("import", ours, "s", "CircuitsVis", theirs, target=below(0.3, "s"))]


def _seconds(module: str, runs: int) -> float:
    command = [sys.executable, "-c", TIMED.format(module=module)]
    return min(float(subprocess.check_output(command, text=True)) for _ in range(runs))
