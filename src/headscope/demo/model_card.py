"""The model card: what was measured, as `card.json` for programs and `README.md` for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headscope.demo.circuits import describe, find
from headscope.demo.evaluate import load_weights, measure, measure_after

_HEADINGS = {
    "ioi": "indirect object (pairs of names)",
    "city_state": "city to state (city with wording)",
    "state_capital": "state to capital (state with wording)",
    "two_hop": "capital of the state containing a city (cities in no two-hop sentence)",
    "pronoun": "he or she (name with wording)",
    "agreement": "is or are, across a noun of the other number (pairs of nouns)",
    "successor": "next day, month, number or letter (where the series starts)",
    "greater_than": "a later year (first year with century and event)",
    "induction_25": "25 random words repeated",
    "induction_100": "100 random words repeated",
}

_TEXT = """\
# The embedded model

A GPT-2 of {layers} layers, {heads} heads and width {width} ({millions:.2f} million parameters, \
context {context:,}, {vocabulary:,} tokens), trained for `hs.load_demo()` on sentences that \
`headscope.demo.corpus` generates. It knows the fifty states of the USA, a hundred names and a few \
hundred other words, in the sentence frames of `headscope.demo.language`, and nothing else.

    {command}

trains it again from its seed: {cpu_seconds:,} CPU seconds on one thread of a busy machine with \
bfloat16 matrix instructions. Another processor or torch version rounds differently, and so gives \
a different model of the same kind. The weights are stored in float16.

## What it can do
Measured on prompts held out of training (what is held out is in brackets) by \
`python -m headscope.demo.evaluate`, in float32. Accuracy is over the whole vocabulary; the logit \
difference is logit(answer) - logit(wrong), for years the log-odds of all later against all \
other years.

| task | accuracy | mean logit difference | cases |
|---|---|---|---|
{rows}

One question at a time is best. It was trained on rows of 32 tokens, and at the end on longer \
ones too: a sample of all tasks' cases but induction's is answered with an accuracy of {after} \
after at least {tokens} tokens of other sentences.

{shortfalls}## How it does it
{circuits}
"""

_NOT_LEARNED = "Not learned: {tasks} (accuracy under {aim}).\n\n"
_AIM = 0.8
_AFTER = (0, 16, 32, 64, 128, 200)


def write_card(folder: Path, *, command: str, cpu_seconds: int) -> None:
    """Measure the weights in `folder` and write `card.json` and `README.md` beside them."""
    model, tokenizer = load_weights(folder)
    scores = measure(model, tokenizer)
    circuits = find(model, tokenizer)
    made: dict[str, Any] = {"command": command, "cpu_seconds": cpu_seconds}
    shape: dict[str, Any] = {
        "layers": model.config.n_layer,
        "heads": model.config.n_head,
        "width": model.config.n_embd,
        "context": model.config.n_positions,
        "vocabulary": len(tokenizer),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    after = {tokens: measure_after(model, tokenizer, tokens) for tokens in _AFTER}
    tasks = {name: asdict(score) for name, score in scores.items()}
    card = {**made, **shape, "tasks": tasks, "accuracy_after": after, "circuits": circuits}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    rows = "\n".join(
        f"| {_HEADINGS[name]} | {s.accuracy:.3f} | {s.logit_difference:.1f} | {s.cases} |"
        for name, s in scores.items()
    )
    missed = [_HEADINGS[name] for name, s in scores.items() if s.accuracy < _AIM]
    shortfalls = _NOT_LEARNED.format(tasks="; ".join(missed), aim=_AIM) if missed else ""
    millions = shape["parameters"] / 1e6
    text = _TEXT.format(
        **made,
        **shape,
        millions=millions,
        rows=rows,
        tokens=", ".join(map(str, after)),
        after=", ".join(f"{share:.2f}" for share in after.values()),
        shortfalls=shortfalls,
        circuits=describe(circuits),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
