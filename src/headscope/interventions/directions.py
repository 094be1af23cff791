"""Directions in the residual stream, as data with arithmetic: a model makes the vector.

    >>> hs.Token(" Paris") - hs.Token(" France") + hs.Token(" Italy")
    >>> 0.5 * (hs.Means(glad) - hs.Means(sad))

A direction is taken at a layer: in the stream before that block. Sums are taken there, term by term
(Mikolov et al. 2013, "Linguistic Regularities in Continuous Space Word Representations").
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Union

from headscope.errors import RequestError

TokenLike = Union[str, int]

#: Tokens that are written without quotes; see `headscope.interventions.expressions`.
_BARE = re.compile(r""" [^\s"'#+\-−*×]([^"+\-−*×]*[^\s"+\-−*×])?""")


@dataclass(frozen=True)
class Direction:
    """A vector of the residual stream's width, once there are a model and a layer.

    Directions are added, subtracted, and multiplied by numbers; what comes of it is a `Sum`.
    """

    kind: ClassVar[str]
    __array_ufunc__ = None  # numpy's numbers leave the multiplication to `__rmul__`

    def __add__(self, other: Direction) -> Sum:
        if not isinstance(other, Direction):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))

    def __sub__(self, other: Direction) -> Sum:
        if not isinstance(other, Direction):
            return NotImplemented
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Sum:
        if not _is_finite(factor):
            return NotImplemented
        return Sum(tuple((float(factor) * weight, term) for weight, term in _terms(self)))

    def __rmul__(self, factor: float) -> Sum:
        return self * factor

    def __truediv__(self, divisor: float) -> Sum:
        return self * (1.0 / divisor)

    def __neg__(self) -> Sum:
        return self * -1.0


@dataclass(frozen=True)
class Sum(Direction):
    """Directions times numbers, added up: what arithmetic with directions gives.

    Args:
        terms: `(factor, direction)` each.
    """

    kind: ClassVar[str] = "sum"
    terms: tuple[tuple[float, Direction], ...]

    def __post_init__(self) -> None:
        terms: Any = self.terms
        if not isinstance(terms, Sequence) or not terms or not all(map(_is_term, terms)):
            raise RequestError(
                "A sum is made of (factor, direction) pairs.", "Write a - b + 0.5 * c."
            )
        object.__setattr__(self, "terms", tuple((float(weight), term) for weight, term in terms))

    def __str__(self) -> str:
        text = ""
        for weight, term in self.terms:
            sign = " − " if weight < 0 else " + "
            factor = "" if abs(weight) == 1 else f"{abs(weight):g} × "
            text += f"{sign}{factor}{f'({term})' if ' − ' in str(term) else term}"
        return text.removeprefix(" + ").lstrip()


@dataclass(frozen=True)
class Token(Direction):
    """The stream at a token.

    The token is read alone (behind the beginning-of-sequence token, where the model puts one before
    texts), which at layer 0 is its embedding as the first block gets it, a learned position
    included; or else in contexts: then it is the mean of the stream at its last place in each.

    Args:
        token: Its text, or its id.
        contexts: Texts in which it is one of the tokens.
    """

    kind: ClassVar[str] = "token"
    token: TokenLike
    contexts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_token(self.token)
        contexts = _texts("contexts", self.contexts) if self.contexts else ()
        object.__setattr__(self, "contexts", contexts)

    def __str__(self) -> str:
        if isinstance(self.token, int):
            text = f"#{self.token}"
        else:
            text = self.token[1:] if _BARE.fullmatch(self.token) else f'"{self.token}"'
        return f"{text} in {len(self.contexts)} texts" if self.contexts else text


@dataclass(frozen=True)
class Means(Direction):
    """Mean of the stream over some prompts less its mean over others.

    Of each prompt the last token's stream counts, where the layer is that of the intervention
    (Rimsky et al. 2024, "Steering Llama 2 via Contrastive Activation Addition").

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
        if len(self.toward) == 1 and not self.away:
            return f'"{self.toward[0]}"'
        less = f" − mean of {len(self.away)}" if self.away else ""
        return f"mean of {len(self.toward)}{less}"


@dataclass(frozen=True)
class TokenDifference(Direction):
    """Embedding of a token less that of another, as the first block gets them, at every layer.

    Args:
        toward: A token: its text, or its id.
        away: Likewise.
    """

    kind: ClassVar[str] = "tokens"
    toward: TokenLike
    away: TokenLike

    def __post_init__(self) -> None:
        for token in (self.toward, self.away):
            _check_token(token)

    def __str__(self) -> str:
        return f"embedding of {self.toward!r} − {self.away!r}"


@dataclass(frozen=True)
class Vector(Direction):
    """A vector that is given, `d_model` numbers: the same at every layer.

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
    kind.kind: kind for kind in (Means, TokenDifference, Vector, Token, Sum)
}


def _terms(direction: Direction) -> tuple[tuple[float, Direction], ...]:
    return direction.terms if isinstance(direction, Sum) else ((1.0, direction),)


def _is_term(term: Any) -> bool:
    pair = isinstance(term, Sequence) and len(term) == 2
    return pair and _is_finite(term[0]) and isinstance(term[1], Direction)


def _check_token(token: Any) -> None:
    if isinstance(token, bool) or not isinstance(token, (str, int)):
        raise RequestError(f"{token!r} is no token.", "Pass its text, ' good', or its id.")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not given or not all(isinstance(t, str) for t in given):
        raise RequestError(f"{name} is {value!r}.", f"Pass texts: {name}=['...', '...'].")
    return tuple(given)


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
