"""A slider's move and a step of generation beside what they cannot be faster than, in one run.

CPU seconds, medians of runs taken in turn: a shared machine stretches the wall clock. A move is the
whole of it: the interventions worked out anew, then the prompt run from their layer on, up to the
logits of the last position. Beside it the bare forward pass from that layer, with no hooks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import headscope as hs
from benchmarks.models import gpt2_small, token_ids
from benchmarks.report import Row, Target

LENGTH, NEW_TOKENS, RUNS = 32, 12, 9
LAYERS = (0, 6, 11)
MOST_MS = 60


def run() -> list[Row]:
    """Moves of a steering vector's strength at three layers, and generation with it."""
    bridge = gpt2_small()
    return [*(_move(bridge, layer) for layer in LAYERS), *_generation(bridge)]


def _in_turn(*works: Callable[[], Any]) -> list[float]:
    """Median CPU seconds of each."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(RUNS):
        for work, taken in zip(works, seconds, strict=True):
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
    return [median(taken) for taken in seconds]


def steered(layer: int, strength: float = 2.0) -> hs.Interventions:
    return hs.Interventions().steer(layer, hs.TokenDifference(40, 41), strength)


def seconds(work: Callable[[], Any]) -> float:
    """Wall-clock seconds of it, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare_forward(bridge: Any, layer: int) -> Callable[[], None]:
    """The forward pass from a layer on, with no hooks but one that keeps the last position."""
    import torch

    from headscope.model.passing_over import passing_over
    from headscope.model.recorded import record

    recorded = record(bridge, [token_ids(LENGTH)])
    last = [("unembed.hook_in", lambda stream, hook: stream[:, -1:])]
    begun: dict[str, Any] = {"start_at_layer": layer} if layer else {}
    given = recorded.streams[:, layer] if layer else recorded.token_ids

    def bare() -> None:
        with torch.no_grad(), passing_over(bridge, layer, recorded):
            bridge.run_with_hooks(given, fwd_hooks=last, **begun)

    return bare


def _move(bridge: Any, layer: int) -> Row:
    from headscope.model import LiveModel
    from headscope.model.intervening import plan
    from headscope.model.intervening.running import Baseline

    model, ids = LiveModel.of(bridge), token_ids(LENGTH)
    baseline = Baseline(model, ids)
    strengths = iter(range(10**6))

    def move() -> None:
        baseline.run(plan(model, steered(layer, next(strengths))))

    ours, theirs = _in_turn(move, bare_forward(bridge, layer))
    return Row(
        f"a slider's move, steering at layer {layer}, {LENGTH} tokens", ours, "s",
        "bare forward from there", theirs, f"{1e3 * (ours - theirs):.0f} ms more",
        Target(f"{MOST_MS} ms more", lambda row: 1e3 * (row.ours - (row.theirs or 0)) <= MOST_MS),
    )  # fmt: skip


def _generation(bridge: Any) -> list[Row]:
    """A step with a cache, plain and steered, beside that of transformers' own model."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from headscope.model import LiveModel
    from headscope.model.intervening import plan
    from headscope.model.intervening.generating import Sampling, generate

    network = GPT2LMHeadModel(GPT2Config()).eval()
    model, ids = LiveModel.of(bridge), token_ids(LENGTH)
    acting = plan(model, steered(6))

    def ours(chosen: Any, n: int) -> Callable[[], Any]:
        # The same noise for all: with temperature, so that no model ends its text early.
        return lambda: list(generate(model, ids, Sampling(1.0), n, chosen))

    def theirs(n: int) -> Callable[[], Any]:
        def steps() -> None:
            given, cache = torch.tensor([ids]), None
            with torch.no_grad():
                for _ in range(n):
                    out = network(given, past_key_values=cache, use_cache=True, logits_to_keep=1)
                    cache, given = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)

        return steps

    long, short = (_in_turn(theirs(n), ours(None, n), ours(acting, n)) for n in (NEW_TOKENS + 1, 1))
    step = [(a - b) / NEW_TOKENS for a, b in zip(long, short, strict=True)]
    return [
        Row(f"a generated token, {what}, {LENGTH} tokens before", of, "s", "transformers", step[0])
        for what, of in (("plain", step[1]), ("steered at layer 6", step[2]))
    ]
