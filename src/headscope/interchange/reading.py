"""Values out of a stranger's JSON: checked one by one, refused with the place they stand in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from headscope.errors import ResultError

Json = dict[str, Any]

#: What is said to do about a file that is broken.
MEND = "Write the file again with the tool that it is from."
_LARGEST = 2**31 - 1
_SHOWN = 40


def refusal(where: str, what: str, hint: str = MEND) -> ResultError:
    """`where` is a path such as `nodes[3].layer`."""
    return ResultError(f"{where} {what}.", hint)


def shown(value: Any) -> str:
    """A value in a message: short, on one line."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def mapping(value: Any, where: str) -> Json:
    """A JSON object."""
    if not isinstance(value, dict):
        raise refusal(where, f"is {shown(value)}, not an object")
    return value


def sequence(value: Any, where: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise refusal(where, f"is {shown(value)}, not an array")
    return value


def required(found: Mapping[str, Any], key: str, where: str) -> Any:
    """What must be there."""
    if key not in found:
        raise refusal(where, f"has no {key!r}")
    return found[key]


def text(value: Any, where: str) -> str:
    """A string of whole characters."""
    if not isinstance(value, str):
        raise refusal(where, f"is {shown(value)}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refusal(where, "has half a character in it") from None
    return value


def optional_text(found: Mapping[str, Any], key: str, where: str) -> str:
    """A string; "" where there is none or null."""
    value = found.get(key)
    return "" if value is None else text(value, f"{where}.{key}")


def integer(value: Any, where: str, most: int = _LARGEST) -> int:
    """A whole number from 0 to `most`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusal(where, f"is {shown(value)}, not a whole number")
    if not 0 <= value <= most:
        raise refusal(where, f"is {shown(value)}: it runs from 0 to {most}")
    return value


def number(value: Any, where: str, *, missing: bool = False) -> float:
    """A finite number that float32 holds; null is NaN where `missing` values are allowed."""
    if value is None and missing:
        return math.nan
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise refusal(where, f"is {shown(value)}, not a number")
    if not -3.4e38 < value < 3.4e38:  # NaN is not either
        raise refusal(where, f"is {shown(value)}, which is no finite number")
    return float(value)


def flag(value: Any, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise refusal(where, f"is {shown(value)}, neither true nor false")
    return value
