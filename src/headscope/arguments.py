"""Arguments of public calls against their annotations: what does not fit is refused in one line."""

from __future__ import annotations

import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from difflib import get_close_matches
from functools import cache, wraps
from numbers import Real
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from headscope.errors import RequestError

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST = 60


class _UnfitError(Exception):
    """A value is not of a kind."""


def checked(call: Callable[P, T]) -> Callable[P, T]:
    """Refuse arguments that do not fit the annotations of `call`, before it begins.

    Numbers of numpy and torch become Python's own, and what is listed becomes a list.
    """
    signature = inspect.signature(call)
    name = call.__qualname__.removesuffix(".__init__")
    hints = cache(lambda: get_type_hints(call))

    @wraps(call)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as misused:
            raise _misuse(name, signature, kwargs, misused) from None
        for given, value in bound.arguments.items():
            hint = hints().get(given, Any)
            match signature.parameters[given].kind:
                case inspect.Parameter.VAR_POSITIONAL:
                    bound.arguments[given] = tuple(fit(given, each, hint) for each in value)
                case inspect.Parameter.VAR_KEYWORD:
                    bound.arguments[given] = {k: fit(k, each, hint) for k, each in value.items()}
                case _:
                    bound.arguments[given] = fit(given, value, hint)
        return call(*bound.args, **bound.kwargs)

    return inner


def fit(name: str, value: Any, hint: Any) -> Any:
    """`value` as `hint` has it.

    Args:
        name: What the user knows it by.
        value: What was given.
        hint: A class, a `Literal`, a union, or a list or dict of these; anything else is not
            looked at.

    Raises:
        RequestError: It is not of that kind.
    """
    try:
        return _fitted(value, hint)
    except _UnfitError:
        raise RequestError(f"{name} cannot be {short(value)}.", _advice(value, hint)) from None


def _advice(value: Any, hint: Any) -> str:
    literal = next((part for part in _parts(hint) if get_origin(part) is Literal), None)
    if literal is None:
        return f"Give {_words(hint)}."
    choices = get_args(literal)
    close = meant(value, choices) if isinstance(value, str) else ""
    return f"{close}Choose from {choices}."


def meant(name: str, names: Iterable[str]) -> str:
    """`Did you mean ...? ` with that of `names` which `name` is closest to; empty if none is."""
    known = [other for other in names if other]
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    begun = [other for other in known if plain and other.lower().startswith(plain)]
    close = begun or get_close_matches(plain, known, 1)
    return f"Did you mean {close[0]!r}? " if close else ""


def short(value: Any) -> str:
    """A value in an error's line: as it is written, or else what it is."""
    text = repr(value)
    if isinstance(value, str) and len(text) > _LONGEST:
        return f"{text[: _LONGEST - 1]}…"
    if len(text) <= _LONGEST and "\n" not in text and " object at 0x" not in text:
        return text
    return _with_article(type(value).__name__)


def _misuse(
    name: str, signature: inspect.Signature, given: Mapping[str, Any], misused: TypeError
) -> RequestError:
    """The error for arguments that are missing, too many or unknown."""
    taken = [p for p in signature.parameters if p != "self"]
    unknown = next((argument for argument in given if argument not in taken), None)
    if unknown is not None:
        hint = f"{meant(unknown, taken)}It takes {', '.join(taken)}."
        return RequestError(f"{name} has no argument {unknown!r}.", hint)
    empty = inspect.Parameter.empty
    written = [
        p.name if p.default is empty else f"{p.name}=..."
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    return RequestError(f"{name}: {misused}.", f"Call {name}({', '.join(written)}).")


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _fitted(value: Any, hint: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _first_fit(value, inner)
    if origin is Literal:
        return _demand(isinstance(value, str) and value in inner, value)
    if origin in (Sequence, Iterable):
        found = [_fitted(each, inner[0]) for each in _listed(value)]
        return tuple(found) if isinstance(value, tuple) else found
    if origin is tuple and Ellipsis not in inner:
        listed = _listed(value)
        _demand(len(listed) == len(inner), value)
        return tuple(map(_fitted, listed, inner))
    if origin is Mapping:
        _demand(isinstance(value, Mapping), value)
        return {_fitted(k, inner[0]): _fitted(each, inner[1]) for k, each in value.items()}
    known = isinstance(hint, type) and hint is not Any  # Any is a class since Python 3.11
    plain = origin is None and known and not getattr(hint, "_is_protocol", False)
    return _of_class(value, hint) if plain else value


def _of_class(value: Any, kind: type) -> Any:
    if kind is int:
        return _whole(value)
    if kind is float:
        return _number(value)
    if kind is bool:
        named = type(value).__name__  # numpy's has the same name, or had bool_
        return bool(_demand(named in ("bool", "bool_"), value))
    return _demand(isinstance(value, os.PathLike if kind is Path else kind), value)


def _first_fit(value: Any, kinds: Iterable[Any]) -> Any:
    for kind in kinds:
        with suppress(_UnfitError):
            return _fitted(value, kind)
    raise _UnfitError


def _demand(holds: bool, value: Any) -> Any:
    if not holds:
        raise _UnfitError
    return value


def _whole(value: Any) -> int:
    _demand(not isinstance(value, bool), value)
    try:
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):  # the last two: tensors of several numbers
        raise _UnfitError from None


def _number(value: Any) -> float:
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # of numpy or torch
        value = value.item()
    _demand(isinstance(value, Real) and not isinstance(value, bool), value)
    return float(_demand(math.isfinite(value), value))


def _listed(value: Any) -> Sequence[Any]:
    """What is in a list, a tuple, an array or a column."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    _demand(isinstance(value, Iterable), value)
    _demand(not isinstance(value, (str, bytes, Mapping, Set)), value)
    return tuple(value)


_SINGLE = {
    int: "a whole number", float: "a number", bool: "True or False", str: "a text", Path: "a path",
    NoneType: "None", Mapping: "a dict",
}  # fmt: skip
_PLURAL = {int: "whole numbers", float: "numbers", str: "texts"}


def _words(hint: Any) -> str:
    """What fits, for people."""
    parts = [part for part in _parts(hint) if not (part is str and Path in _parts(hint))]
    if len(parts) > 1:
        return " or ".join(map(_words, parts))
    (part,) = parts
    origin, inner = get_origin(part), get_args(part)
    if origin in (Sequence, Iterable):
        return f"a list of {_plural(inner[0])}"
    if origin is tuple:
        return f"{len(inner)} {_plural(inner[0])}"
    if origin is Mapping:
        return f"a dict of {_plural(inner[1])}"
    if part in _SINGLE:
        return _SINGLE[part]
    kind = cast("type", part)
    ours = kind.__module__.partition(".")[0] in ("builtins", "headscope")
    return _with_article(kind.__name__ if ours else f"{kind.__module__}.{kind.__name__}")


def _plural(hint: Any) -> str:
    if hint in _PLURAL:
        return _PLURAL[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Sequence, Iterable):
        return f"lists of {_plural(inner[0])}"
    return " or ".join(_PLURAL[part] for part in _parts(hint) if part in _PLURAL)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
