"""Seconds from Enter in the prompt to the new picture, beyond the forward pass."""

from __future__ import annotations

import json
from statistics import median

from tests.e2e.lab import serve

from benchmarks.notebook import Bench, open_bench
from benchmarks.report import Row, below

N_TOKENS = 32
EDITS = 7
#: Milliseconds between typing and Enter: the tokens have been previewed, nothing has run yet.
REST_MS = 250


def run() -> list[Row]:
    """The median of a few edits of the last word."""
    with serve() as lab, open_bench(lab) as bench:
        words = json.loads(
            bench.python(f"import json; print(json.dumps(words(model, {N_TOKENS + EDITS})))")
        )
        first = "".join(words[:N_TOKENS])
        bench.run_cell(f"widget = hs.AttentionPatterns(model, {first!r}); widget", "headscope")
        same = "".join(words[: N_TOKENS - 1])
        beyond = []
        for last in words[N_TOKENS:]:
            forward_s = bench.forward_s(N_TOKENS)
            beyond.append(_edit(bench, same + last) - forward_s)
    return [
        Row(
            f"edit to picture beyond the forward, {N_TOKENS} tokens",
            1000 * median(beyond),
            "ms",
            target=below(150, "ms"),
        )
    ]


def _edit(bench: Bench, prompt: str) -> float:
    bench.page.locator(".hs-prompt-text").fill(prompt)
    bench.page.wait_for_timeout(REST_MS)
    bench.begin("timeEdit")
    bench.page.keyboard.press("Enter")
    seconds = bench.end()
    if seconds is None:
        raise TimeoutError("The edited prompt was not painted.")
    return seconds
