"""Scores of all edges beside TransformerLens's edge mode, and how much memory they take.

CPU seconds, one thread. Ours score eight pairs of 15 tokens, their runs included. TransformerLens's
edge attribution takes one pair, so it runs on one and counts per pair. The figures of
hannamw/EAP-IG, which does not install beside this TransformerLens, were measured once, on
another machine, and are scaled by what TransformerLens's edge attribution takes there and here.

Memory is the peak of resident memory during the work less that before it (Linux); for a long
prompt, the peak of a process of its own, model and libraries included.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import headscope as hs  # noqa: F401  (says that it is there before torch is)
from benchmarks.models import gpt2_small
from benchmarks.report import Row, Target

PAIRS, LENGTH = 8, 15
ANSWER, WRONG = 1000, 2000
#: hannamw/EAP-IG with TransformerLens 2.18: CPU seconds and GiB, for these pairs.
EAP_IG = {"eap": (10.8, 0.5), "eap_ig_inputs": (33.3, 1.1)}
#: CPU seconds of TransformerLens's edge attribution of one of these pairs, there.
THERE = 4.9
TITLES = {"eap": "EAP", "eap_ig_inputs": "EAP-IG, 5 steps"}
GIB = 2**30


def run() -> list[Row]:
    """Edge scores at GPT-2 small's shape, their memory, and a long prompt's."""
    model = gpt2_small()
    for method in TITLES:
        _scores(model, [_pair(LENGTH, seed) for seed in range(2)], method)  # imports, warm caches
    theirs, their_memory = _measured(lambda: _transformer_lens(model))
    rows = []
    for method, title in TITLES.items():
        pairs = [_pair(LENGTH, seed) for seed in range(PAIRS)]
        ours, memory = min(
            (_measured(lambda: _scores(model, pairs, method)) for _ in range(2)),  # noqa: B023
            key=lambda found: found[0],
        )
        what = f"{title}, 32,491 edges, {PAIRS} pairs at {LENGTH} tokens"
        seconds, gib = EAP_IG[method]
        scaled = seconds * theirs / THERE
        rows += [
            Row(what, ours, "s", "hannamw/EAP-IG, scaled", scaled, target=at_least(7)),
            Row(f"{what}, memory", memory / GIB, "GiB", "hannamw/EAP-IG", gib, target=at_least(3)),
        ]
        if method == "eap":
            per_pair = f"{title}, per pair"
            rows += [
                Row(per_pair, ours / PAIRS, "s", "TransformerLens", theirs, target=at_least(7)),
                Row(f"{per_pair}, memory (ours of {PAIRS} pairs)", memory / GIB, "GiB",
                    "TransformerLens, 1 pair", their_memory / GIB, target=at_least(3)),
            ]  # fmt: skip
    what = "EAP-IG, 5 steps, 512 tokens, all of the process's memory"
    whole = _in_a_process() / GIB
    return [*rows, Row(what, whole, "GiB", target=Target("under 4 GB", lambda row: row.ours < 3.7))]


def long_prompt() -> None:
    """Scores of a long prompt, and the peak of the process's memory printed, in kB."""
    _scores(gpt2_small(), [_pair(512, 0)], "eap_ig_inputs")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _in_a_process() -> float:
    code = "from benchmarks.circuits import long_prompt; long_prompt()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1024 * float(ran.stdout.split()[-1])


def at_least(times: float) -> Target:
    """The peer has to take so many times as much."""
    return Target(f"{times:g} times", lambda row: row.ratio >= times)


def _measured(work: Callable[[], Any]) -> tuple[float, float]:
    """CPU seconds, and bytes of resident memory at the peak beyond those before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = _resident("VmRSS"), time.process_time()
    work()
    return time.process_time() - start, _resident("VmHWM") - before


def _resident(which: str) -> float:
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * float(found[1])


def _pair(length: int, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    clean, other = (
        tuple((a * i + b + 13 * seed) % 50_000 + 1 for i in range(length))
        for a, b in ((101, 7), (211, 3))
    )
    return clean, other


def _scores(model: Any, pairs: Any, method: Any) -> None:
    from headscope.analyses.edge_scores import EdgeScoresRequest, EdgeStudy
    from headscope.analyses.prompt_pairs import Pair
    from headscope.jobs.steps import unhurried
    from headscope.model import LiveModel

    live = LiveModel.of(model)
    live.forget_runs()
    asked = tuple(Pair(clean, other, ANSWER, WRONG) for clean, other in pairs)
    study = EdgeStudy(live, EdgeScoresRequest(asked, method=method))
    with unhurried():  # as `run()` in a cell
        for part in (study.prepare, study.record, study.score):
            for _ in study.on_one_model(part()):
                pass


def _transformer_lens(model: Any) -> None:
    import torch
    from transformer_lens.tools.analysis.attribution_patching import (
        EdgeAttributionConfig,
        attribution_patch,
    )

    clean, corrupted = (torch.tensor([ids]) for ids in _pair(LENGTH, 0))

    def difference(logits: Any) -> Any:
        return logits[0, -1, ANSWER] - logits[0, -1, WRONG]

    attribution_patch(
        model, clean, corrupted, difference, EdgeAttributionConfig(granularity="edge")
    )
