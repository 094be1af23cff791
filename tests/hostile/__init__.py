"""Token texts that would do harm, or could not be read, if anything took them for more than text.

`texts.json`, with how each is shown, is shared with the front end's `test/hostile.test.ts`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from headscope.results import Axis, Marks, Prompt

_FILE = Path(__file__).parent / "texts.json"
_BOTH: dict[str, list[str]] = json.loads(_FILE.read_text(encoding="utf-8"))
#: By name.
TEXTS = {name: text for name, (text, _) in _BOTH.items()}
#: How each is shown.
SHOWN = {name: shown for name, (_, shown) in _BOTH.items()}
#: What a text that is executed sets on the window.
TRAP = "__pwned"

#: Fields whose strings are not ours.
FOREIGN = ("text", "texts", "notes", "model", "parameters")

R = TypeVar("R")


def poisoned(result: R, start: int = 0) -> R:
    """`result` with every text that is not ours replaced by one of `TEXTS`.

    Args:
        result: Any result.
        start: Which of the texts comes first; a result with few tokens holds only so many.
    """
    texts, turn = list(TEXTS.values()), count(start)

    def text(_: object = None) -> str:
        return texts[next(turn) % len(texts)]

    def walk(value: Any, name: str = "") -> Any:
        match value:
            case Prompt():
                tokens = tuple(map(text, value.tokens))
                return Prompt("".join(tokens), tokens, value.token_ids)
            case Axis():
                labels = tuple(map(text, value.labels)) if value.tokens else value.labels
                return dataclasses.replace(value, labels=labels)
            case Marks() | np.ndarray():
                return value
            case str():
                return text() if name in FOREIGN else value
            case tuple():
                return tuple(walk(each, name) for each in value)
            case Mapping():
                return {key: walk(each, name) for key, each in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field.name for field in dataclasses.fields(value) if field.init]
            return dataclasses.replace(value, **{f: walk(getattr(value, f), f) for f in fields})
        return value

    made = walk(result)
    return dataclasses.replace(made, title=text() or "untitled")  # type: ignore[no-any-return]


def poison(widget: Any, start: int = 0) -> None:
    """Let a widget show what `poisoned` makes of its result, with fields and marks to match.

    It computes nothing: what it shows is put behind its traits' backs.
    """
    texts = list(TEXTS.values())
    traits = widget._trait_values
    widget._value = made = poisoned(widget.result, start)
    if widget.prompt is not None:
        traits["prompt"] = made.provenance.prompts[0].text
    for i, field in enumerate(widget.fields):
        if field["type"] in ("text", "token", "line"):
            traits[field["name"]] = texts[(start + i) % len(texts)]
    if "labels" in widget.marks:
        names = made.names
        traits["labels"] = dict(zip(names, texts, strict=False))
        traits["groups"] = [{"label": texts[start % len(texts)], "nodes": list(names[-3:])}]
        traits["pinned"] = list(names[: len(texts)])
