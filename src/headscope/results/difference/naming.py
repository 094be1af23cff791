"""In what two results differ, in a few words for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any

from headscope.results.provenance import Prompt, Provenance

_LONGEST = 60
#: So many differences are told.
_MOST = 2
#: Letters of a fingerprint that tell weights apart.
_FINGERPRINT = 8


def names_of(one: Provenance, other: Provenance) -> tuple[str, str]:
    """What tells two results apart: their models, prompts, parameters; empty where nothing does."""
    pairs = list(islice(_apart(one, other), _MOST))
    mine, its = (", ".join(pair[at] for pair in pairs if pair[at]) for at in (0, 1))
    return _short(mine), _short(its)


def _apart(one: Provenance, other: Provenance) -> Iterator[tuple[str, str]]:
    made = [(r.model, r.revision or "", r.dtype, r.processed_weights) for r in (one, other)]
    if made[0] != made[1]:
        told = [
            (name, revision, dtype, "processed weights" if processed else "weights as trained")
            for name, revision, dtype, processed in made
        ]
        yield from (pair for pair in zip(*told, strict=True) if pair[0] != pair[1])
    elif one.fingerprint != other.fingerprint:
        marks = ((record.fingerprint or "")[:_FINGERPRINT] for record in (one, other))
        mine, its = (f"{one.model} (weights {mark})" for mark in marks)
        yield mine, its
    if one.interventions != other.interventions:
        yield _acting(one.interventions), _acting(other.interventions)
    if [p.token_ids for p in one.prompts] != [p.token_ids for p in other.prompts]:
        yield _apart_in(one.prompts, other.prompts)
    for name in {**one.parameters, **other.parameters}:
        mine_, its_ = one.parameters.get(name), other.parameters.get(name)
        if mine_ != its_ and not name.endswith(("_id", "_ids")):  # the texts are told
            yield f"{name} {mine_}", f"{name} {its_}"


def _acting(interventions: tuple[str, ...]) -> str:
    if not interventions:
        return "without interventions"
    return f"with {' + '.join(map(_change, map(json.loads, interventions)))}"


def _change(one: dict[str, Any]) -> str:
    """Such as `zero L3H1`."""
    of = next((str(one[name]) for name in ("component", "head", "unit") if name in one), "")
    return f"{one.get('kind', 'intervention')} {of}".rstrip()


def _apart_in(one: tuple[Prompt, ...], other: tuple[Prompt, ...]) -> tuple[str, str]:
    """Where the first prompts that differ do, with a token before and behind."""
    pairs = zip_longest(one, other, fillvalue=Prompt("", (), ()))
    mine, its = next((p.tokens, q.tokens) for p, q in pairs if p.token_ids != q.token_ids)
    least = min(len(mine), len(its))
    begin = next((i for i in range(least) if mine[i] != its[i]), least)
    same = (k for k in range(least - begin) if mine[-1 - k] != its[-1 - k])
    end = next(same, least - begin)
    return _part(mine, begin, end), _part(its, begin, end)


def _part(tokens: tuple[str, ...], begin: int, end: int) -> str:
    first, last = max(begin - 1, 0), min(len(tokens) - end + 1, len(tokens))
    text = "".join(tokens[first:last])
    return repr(f"{'…' if first else ''}{text}{'…' if last < len(tokens) else ''}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
