"""How two results meet: their axes, and the record of what was compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from headscope.arguments import short
from headscope.errors import ResultError
from headscope.results.alignment import UNMATCHED, align
from headscope.results.difference.naming import names_of
from headscope.results.provenance import JsonValue, Prompt, Provenance

#: Analysis of a difference: no name of the registry.
ANALYSIS = "difference"

#: Characters of a prompt in a note.
_LONGEST = 300

#: What a record says of its result rather than of its making.
_OF_THE_RESULT = frozenset({"sign", "normalisation", "notes", "versions", "sources"})


def tokens_met(one: Sequence[str], other: Sequence[str]) -> npt.NDArray[np.int32]:
    """For each token of `one` the position of the one of `other` that it meets, or -1.

    Raises:
        ResultError: None meets any.
    """
    number: dict[str, int] = {}
    ids = [[number.setdefault(text, len(number)) for text in tokens] for tokens in (one, other)]
    found = align(*ids)
    if (found == UNMATCHED).all():
        raise ResultError(
            "The two prompts have no token in common.", "Compare prompts that share some."
        )
    return found


def check_same(what: str, one: Sequence[Any], other: Sequence[Any]) -> None:
    """Refuse results of different layers, heads, measures, ...

    Args:
        what: What they are, in the plural.
        one: Those of one result.
        other: Those of the other.

    Raises:
        ResultError: The two differ.
    """
    if list(one) == list(other):
        return
    hint = f"Compare results of the same {what}."
    if len(one) != len(other):
        raise ResultError(f"One has {len(one)} {what}, the other {len(other)}.", hint)
    mine, its = next(pair for pair in zip(one, other, strict=True) if pair[0] != pair[1])
    raise ResultError(f"The {what} differ: {short(mine)} stands where {short(its)} does.", hint)


def check_analysis(one: Provenance, other: Provenance) -> None:
    """Refuse what different analyses found.

    Raises:
        ResultError: The analyses differ.
    """
    if one.analysis != other.analysis:
        raise ResultError(
            f"One is of {one.analysis!r}, the other of {other.analysis!r}.",
            "Compare two results of the same analysis.",
        )


def title_of(one: str, other: str) -> str:
    """What a figure of the difference shows."""
    return f"{one}, difference" if one == other else f"{other} less {one}"


def definition_of(one: str, other: str) -> str:
    """What a number of the difference is."""
    each = one if one == other else f"The one: {one} The other: {other}"
    return f"Difference. {each}"


def record_of(one: Provenance, other: Provenance) -> Provenance:
    """Where a difference came from: `sources` has both records, the notes what differs.

    Its prompts are those of `one`, behind them the one of `other` if that is another.
    """
    names = [f.name for f in dataclasses.fields(Provenance) if f.name not in _OF_THE_RESULT]
    either = {name: (getattr(one, name), getattr(other, name)) for name in names}
    told = [
        f"The one that is taken away has {name} {_told(mine)}; the other has {_told(its)}."
        for name, (mine, its) in _unequal(one, other, either).items()
    ]
    return Provenance(
        analysis=ANALYSIS,
        model=both(one.model, other.model),
        architecture=both(one.architecture, other.architecture),
        dtype=both(one.dtype, other.dtype),
        device=both(one.device, other.device),
        processed_weights=one.processed_weights and other.processed_weights,
        prompts=prompts_of(one, other),
        parameters=dict(one.parameters.items() & other.parameters.items()),
        sign=_sign(one, other),
        normalisation=both(one.normalisation, other.normalisation),
        versions={
            package: both(one.versions.get(package, "none"), other.versions.get(package, "none"))
            for package in {**one.versions, **other.versions}
        },
        notes=(*told, *dict.fromkeys((*one.notes, *other.notes))),
        user_hooks=tuple(dict.fromkeys((*one.user_hooks, *other.user_hooks))),
        interventions=one.interventions if one.interventions == other.interventions else (),
        sources=(one, other),
    )


def _sign(one: Provenance, other: Provenance) -> str:
    mine, its = names_of(one, other)
    less = f"{its or 'the other'}, less {mine or 'the one'}"
    return f"Shown is {less}: positive where there is more in the former."


def prompts_of(one: Provenance, other: Provenance) -> tuple[Prompt, ...]:
    """The prompts of `one`; where each has a single one and they differ, both."""
    if len(one.prompts) == len(other.prompts) == 1 and _ids(one) != _ids(other):
        return (*one.prompts, *other.prompts)
    return one.prompts


def _ids(record: Provenance) -> list[tuple[int, ...]]:
    return [prompt.token_ids for prompt in record.prompts]


def _unequal(
    one: Provenance, other: Provenance, either: dict[str, tuple[Any, Any]]
) -> dict[str, tuple[Any, Any]]:
    """By name what differs, parameters by their own."""
    either.pop("parameters")
    none: JsonValue = None
    for name in {**one.parameters, **other.parameters}:
        either[name] = one.parameters.get(name, none), other.parameters.get(name, none)
    return {name: pair for name, pair in either.items() if pair[0] != pair[1]}


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_told, value)) or "none"
    if isinstance(value, Prompt):
        text = value.text or "".join(value.tokens)
        return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    return str(value)


def both(one: str, other: str) -> str:
    """One word where the two are the same, else which is taken from which."""
    return one if one == other else f"{other} less {one}"
