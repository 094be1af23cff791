"""What a file says beyond a graph's own fields: told apart when read, put back when written.

Whatever a reader does not understand is what the writer would not write by itself. So the rest of a
file is the difference between it and what is written for the graph that was read from it.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from headscope.interchange.reading import Json, refusal

#: The key under which files hold what only Headscope reads.
OURS = "headscope"


def rest(original: Mapping[str, Any], written: Mapping[str, Any]) -> Json:
    """The fields of `original` that `written` lacks or says differently."""
    found: Json = {}
    for key, value in original.items():
        if key == OURS or (key in written and _same(written[key], value)):
            continue
        both = isinstance(value, dict) and isinstance(written.get(key), dict)
        left = rest(value, written[key]) if both else value
        if left != {} or not both:
            found[key] = left
    return found


def put_back(written: Json, left: Mapping[str, Any], measured: Container[str] = ()) -> Json:
    """`written` with the rest of a file in it.

    Args:
        written: What is written for the graph by itself.
        left: The rest.
        measured: Fields whose numbers the graph has, in float32: the file's own, more exact one is
            put back unless the graph's has changed since.
    """
    for key, value in left.items():
        now = written.get(key)
        if isinstance(value, dict) and isinstance(now, dict):
            put_back(now, value, measured)
        elif not (key in measured and _is_number(now) and _is_number(value)) or (
            np.float32(now) == np.float32(value)
        ):
            written[key] = value
    return written


def dumped(left: Json, where: str, *, nan: bool = False) -> str:
    """The rest as text; "" where there is none.

    Raises:
        ResultError: A number in it is not one.
    """
    if not left:
        return ""
    try:
        return json.dumps(left, sort_keys=True, allow_nan=nan)
    except ValueError:
        raise refusal(where, "holds NaN or Infinity") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    alike = type(one) is type(other) or (_is_number(one) and _is_number(other))
    return alike and bool(one == other or (one != one and other != other))  # NaN is itself
