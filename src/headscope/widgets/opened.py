"""Transcoders as they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headscope.arguments import short
from headscope.errors import RequestError
from headscope.model.dictionaries import Transcoders, load_transcoders


def opened(given: Any) -> Transcoders | None:
    """Transcoders that are there, or that have to be loaded first.

    Raises:
        RequestError: They are none.
    """
    if isinstance(given, (str, Path)):
        return load_transcoders(given)
    if given is None or isinstance(given, Transcoders):
        return given
    raise RequestError(
        f"{short(given)} are no transcoders.",
        "Pass hs.load_transcoders(path), or nothing for neurons.",
    )
