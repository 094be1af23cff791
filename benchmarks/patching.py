"""Activation patching beside TransformerLens's, on one model, in one run, one thread.

CPU seconds, since a shared machine stretches the wall clock. Both sides include both prompts' runs
and end with the normalised logit difference of every cell, exact, with no estimates before.
TransformerLens's cost depends neither on the cell nor on where the prompts differ: it runs every
fourth cell, times four (at 32 tokens every sixteenth).

The bound at 128 and 512 tokens: FLOPs that the cells need (products of the blocks from the patched
one up, at positions from the patched one on, and their attention) over the rate of a large float32
product, both measured here; a sample of cells, since all of them would take an hour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

os.environ["TQDM_DISABLE"] = "1"

import headscope as hs  # noqa: F401  (says that it is there before torch is)
from benchmarks.models import LAYERS, gpt2_small
from benchmarks.report import Row, Target

ANSWER, WRONG = 1000, 2000
WIDTH, HEADS = 768, 12
#: Multiply-adds of a block's products, for one token.
BLOCK_FLOPS = 2 * 12 * WIDTH * WIDTH
SAMPLE = 36
_EVERY = {15: 4, 32: 16}


def run() -> list[Row]:
    """Maps at 15 and 32 tokens, the bound at 128 and 512, a set of pairs, and the difference."""
    from headscope.model import LiveModel

    live = LiveModel.of(gpt2_small())  # kept alive, as a widget does
    model, rows = live.bridge, []
    targets = {
        (15, "resid_pre"): (25, 80), (32, "resid_pre"): (12, 60), (15, "z"): (20, 40),
    }  # fmt: skip
    for (length, site), bounds in targets.items():
        theirs = _transformer_lens(model, length, site)
        for late, bound in zip((False, True), bounds, strict=True):
            ours, grid = _seconds(lambda: _map(model, [_pair(length, late)], site))  # noqa: B023
            where = "only the last third differs" if late else "every token differs"
            what = f"{site} map, {length} tokens, {where}"
            rows.append(
                Row(what, ours, "s", "TransformerLens", theirs, _notes(grid), at_least(bound))
            )
    rows.append(_agreement(model))
    rows += [_bound(model, length) for length in (128, 512)]
    return [*rows, _set(model)]


def at_least(times: float) -> Target:
    """The peer has to take so many times as long."""
    return Target(f"{times:g} times", lambda row: row.ratio >= times)


def at_most(limit: float) -> Target:
    """Ours has to be no more."""
    return Target(f"at most {limit:g}", lambda row: row.ours <= limit)


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, the best of two runs, and what the last one gave."""
    best, found = float("inf"), None
    for _ in range(2):
        start = time.process_time()
        found = work()
        best = min(best, time.process_time() - start)
    return best, found


def _pair(length: int, late: bool, seed: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]]:
    clean = tuple((101 * i + 7 + 13 * seed) % 50_000 + 1 for i in range(length))
    other = tuple((211 * i + 3 + 17 * seed) % 50_000 + 2 for i in range(length))
    kept = 2 * length // 3 if late else 0
    return clean, clean[:kept] + other[kept:]


def _map(model: Any, pairs: Sequence[Any], site: str) -> Any:
    from headscope.analyses import activation_patching as ap
    from headscope.analyses.prompt_pairs import Pair
    from headscope.jobs import Job
    from headscope.jobs.steps import stepwise
    from headscope.model import LiveModel

    live = LiveModel.of(model)
    live.forget_runs()
    asked = tuple(Pair(clean, other, ANSWER, WRONG) for clean, other in pairs)
    request = ap.ActivationPatchingRequest(asked, site=site, estimate=False)
    job: Job[Any] = Job(stepwise(live.at_once, ap.run(live, request)))  # as widgets run it
    job.advance()
    if job.error is not None:
        raise job.error
    return job.result


def _notes(grid: Any) -> str:
    return next((note for note in grid.provenance.notes if "block-tokens" in note), "")


def _transformer_lens(model: Any, length: int, site: str) -> float:
    """CPU seconds of the whole map, from those of some of its cells."""
    every = _EVERY[length]
    start = time.process_time()
    _reference(model, _pair(length, late=False), site, every)
    return (time.process_time() - start) * every


def _reference(model: Any, pair: Any, site: str, every: int) -> Any:
    """The effects of every so-manieth cell."""
    import pandas as pd
    import torch
    from transformer_lens import patching

    clean, corrupted = (torch.tensor([ids]) for ids in pair)
    name = {"resid_pre": "hook_resid_pre", "z": "hook_z"}[site]

    def difference(logits: Any) -> Any:
        return logits[0, -1, ANSWER] - logits[0, -1, WRONG]

    with torch.no_grad():
        _, cache = model.run_with_cache(clean, names_filter=lambda n: n.endswith(name))
        good, bad = difference(model(clean)), difference(model(corrupted))

        def metric(logits: Any) -> Any:
            return (difference(logits) - bad) / (good - bad)

        second = "pos" if site == "resid_pre" else "head"
        size = clean.shape[1] if site == "resid_pre" else HEADS
        index = pd.DataFrame([{"layer": i, second: j} for i in range(LAYERS) for j in range(size)])[
            ::every
        ]
        setter = patching.layer_pos_patch_setter
        activation = "resid_pre"
        if site == "z":
            setter, activation = patching.layer_head_vector_patch_setter, "z"
        return patching.generic_activation_patch(
            model, corrupted, cache, metric, setter, activation, index_df=index
        )


def _agreement(model: Any) -> Row:
    import numpy as np

    pair, every = _pair(15, late=False), 2 * _EVERY[15]
    theirs = _reference(model, pair, "resid_pre", every).numpy()
    ours = _map(model, [pair], "resid_pre")["effect"].ravel()[::every]
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return Row(
        "largest difference to TransformerLens, resid_pre, 15 tokens, relative", error, "",
        target=at_most(1e-5),
    )  # fmt: skip


def _bound(model: Any, length: int) -> Row:
    """Time of a sample of cells over the time that their FLOPs take at the matrix rate."""
    import numpy as np
    import torch

    from headscope.model.patched_runs import PatchedRun
    from headscope.model.patching import PatchingEngine
    from headscope.model.recorded import Patch, record

    clean, corrupted = _pair(length, late=False)
    source = record(model, [clean])
    engine = PatchingEngine(model, record(model, [corrupted]), (length - 1,))
    drawn = np.random.default_rng(0)
    cells = [(int(drawn.integers(LAYERS)), int(drawn.integers(length))) for _ in range(SAMPLE)]
    runs = [
        PatchedRun(0, (Patch("resid_pre", layer, (p,), source.streams[0, layer, [p]]),))
        for layer, p in cells
    ]
    rate = _matrix_rate(torch)
    start = time.process_time()
    for _ in engine.compute(runs):
        pass
    seconds = time.process_time() - start
    needed = sum(_flops(layer, p, length) for layer, p in cells)
    done = needed * engine.work.done / engine.work.needed
    note = (
        f"{needed / 1e9:.0f} GFLOP needed, {done / needed:.2f} times as many done, "
        f"{done / seconds / rate:.0%} of {rate / 1e9:.0f} GFLOP/s"
    )
    what = f"time over FLOP bound, {SAMPLE} resid_pre cells, {length} tokens"
    return Row(what, seconds / (needed / rate), "", note=note, target=at_most(1.5))


def _flops(layer: int, position: int, length: int) -> float:
    """What one cell needs: its blocks' products, and scores and mixing over all keys before."""
    tokens = length - position
    keys = sum(range(position + 1, length + 1))
    blocks = LAYERS - layer
    return float(blocks * (tokens * BLOCK_FLOPS + 4 * WIDTH * keys))


def _matrix_rate(torch: Any) -> float:
    a, b = torch.randn(512, WIDTH), torch.randn(WIDTH, 4 * WIDTH)
    best = float("inf")
    for _ in range(8):
        start = time.process_time()
        for _ in range(5):
            a @ b
        best = min(best, time.process_time() - start)
    return 5 * 2 * a.shape[0] * a.shape[1] * b.shape[1] / best


def _set(model: Any) -> Row:
    """64 pairs at once, beside 64 times one."""
    pairs = [_pair(15, late=True, seed=seed) for seed in range(64)]
    one, _ = _seconds(lambda: _map(model, pairs[:1], "resid_pre"))
    start = time.process_time()
    _map(model, pairs, "resid_pre")
    together = time.process_time() - start
    what = "64 pairs, resid_pre, 15 tokens, the last third differs"
    return Row(what, together, "s", "64 single runs", 64 * one, target=at_least(1))
