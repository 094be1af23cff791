"""Interventions as JSON: `{"kind": ..., <field>: <value>, ...}` each, directions likewise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar, Union

from headscope.errors import RequestError
from headscope.interventions.directions import DIRECTIONS, Direction, Sum
from headscope.interventions.kinds import KINDS, Intervention

T = TypeVar("T", bound=Union[Intervention, Direction])


def to_json(of: Intervention | Direction) -> dict[str, Any]:
    """Plain lists, texts and numbers, with the kind's name first."""
    return {"kind": of.kind} | {field.name: _plain(getattr(of, field.name)) for field in fields(of)}


def from_json(data: Any) -> Intervention:
    """The intervention that `to_json` wrote as `data`.

    Raises:
        RequestError: It is none: no such kind, a field too many, or one missing.
    """
    return _made(data, KINDS, "intervention")


def direction_from_json(data: Any) -> Direction:
    """The direction that `to_json` wrote as `data`.

    Raises:
        RequestError: It is none.
    """
    return _made(data, DIRECTIONS, "direction")


def _plain(value: Any) -> Any:
    if isinstance(value, Direction):
        return to_json(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _made(data: Any, kinds: Mapping[str, type[T]], what: str) -> T:
    kind = data.get("kind") if isinstance(data, Mapping) else data
    if not isinstance(data, Mapping) or not isinstance(kind, str) or kind not in kinds:
        raise RequestError(f"There is no {what} {kind!r}.", f"Its kind is one of {[*kinds]}.")
    made = kinds[kind]
    known: dict[str, Any] = {field.name: field for field in fields(made)}
    given = {name: value for name, value in data.items() if name != "kind"}
    strange = sorted(str(name) for name in given.keys() - known.keys())
    missing = [n for n, f in known.items() if f.default is MISSING and n not in given]
    if strange or missing:
        wrong = f"has no {strange[0]!r}" if strange else f"needs {missing[0]!r}"
        raise RequestError(f"An {data['kind']} {wrong}.", f"Its fields are {[*known]}.")
    if isinstance(given.get("direction"), Mapping):
        given["direction"] = direction_from_json(given["direction"])
    if made is Sum and isinstance(given["terms"], Sequence):
        given["terms"] = [_term(term) for term in given["terms"]]
    return made(**given)


def _term(term: Any) -> Any:
    """A pair of a sum, its direction read; whatever else is left to the sum to refuse."""
    pair = isinstance(term, Sequence) and len(term) == 2
    return (term[0], direction_from_json(term[1])) if pair else (term,)
