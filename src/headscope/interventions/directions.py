"""Directions in the residual stream, as data: a model makes the vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Union

from headscope.errors import RequestError

Token = Union[str, int]


@dataclass(frozen=True)
class Direction:
    """A vector of the residual stream's width, once there is a model."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Means(Direction):
    """Mean of the stream over some prompts less its mean over others.

    Of each prompt the last token's stream counts, where the layer is that of the intervention.

    Args:
        toward: Prompts.
        away: Prompts; none for the bare mean.
    """

    kind: ClassVar[str] = "means"
    toward: tuple[str, ...]
    away: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "toward", _texts("toward", self.toward))
        object.__setattr__(self, "away", _texts("away", self.away) if self.away else ())

    def __str__(self) -> str:
        less = f" − mean of {len(self.away)}" if self.away else ""
        return f"mean of {len(self.toward)}{less}"


@dataclass(frozen=True)
class TokenDifference(Direction):
    """Embedding of a token less that of another, as the first block gets them.

    Args:
        toward: A token: its text, or its id.
        away: Likewise.
    """

    kind: ClassVar[str] = "tokens"
    toward: Token
    away: Token

    def __post_init__(self) -> None:
        for token in (self.toward, self.away):
            if isinstance(token, bool) or not isinstance(token, (str, int)):
                raise RequestError(f"{token!r} is no token.", "Pass its text, ' good', or its id.")

    def __str__(self) -> str:
        return f"embedding of {self.toward!r} − {self.away!r}"


@dataclass(frozen=True)
class Vector(Direction):
    """A vector that is given, `d_model` numbers.

    Args:
        values: The numbers: a list, an array or a tensor of one axis.
        name: What it is called.
    """

    kind: ClassVar[str] = "vector"
    values: tuple[float, ...]
    name: str = "a given vector"

    def __post_init__(self) -> None:
        given: Any = self.values
        given = given.tolist() if hasattr(given, "tolist") else given
        good = isinstance(given, Sequence) and not isinstance(given, str) and len(given) > 0
        if not good or not all(_is_finite(value) for value in given):
            raise RequestError(
                "A direction is a list of finite numbers.", "Pass hs.Vector(array), of one axis."
            )
        object.__setattr__(self, "values", tuple(map(float, given)))

    def __str__(self) -> str:
        return self.name


DIRECTIONS: dict[str, type[Direction]] = {
    kind.kind: kind for kind in (Means, TokenDifference, Vector)
}


def _texts(name: str, value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not given or not all(isinstance(t, str) for t in given):
        raise RequestError(f"{name} is {value!r}.", f"Pass texts: {name}=['...', '...'].")
    return tuple(given)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
