"""The Python that makes a widget as it is shown. The page's twin is `js/src/shell/code.ts`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from headscope.export.glyphs import glyph_of, visible
from headscope.results import CircuitGraph, Result

_IMPORT = "import headscope as hs"
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", " ": " "}
#: JavaScript writes numbers between these without an exponent.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?")
_SMALL, _LARGE = 1e-6, 1e21


def code_of(shown: Mapping[str, Any], result: Result) -> str:
    """A call, and what is assigned after it.

    Args:
        shown: What the widget shows; see `headscope.export.frozen.Snapshot`.
        result: Its result: whose model it was.
    """
    return text_of(lines_of(shown, result))


def text_of(lines: Iterable[str]) -> str:
    """Lines of code behind the import that they need."""
    return "\n".join([_IMPORT, "", *lines]) + "\n"


def lines_of(
    shown: Mapping[str, Any], result: Result, name: str = "widget", of: str = ""
) -> list[str]:
    """The lines of one widget, without the import.

    Args:
        shown: As of `code_of`.
        result: As of `code_of`.
        name: What the widget is called.
        of: What its model is called, or its result where it has no model; by default just that.
    """
    of = of or ("model" if shown["prompt"] is not None else _still(result))
    lines = [*_comments(shown, result, of), f"{name} = hs.{shown['widget']}("]
    lines += [f"    {argument}," for argument in _arguments(shown, of)]
    lines.append(")")
    if shown["effect"] != "with":
        lines.append(f"{name}.effect = {literal(shown['effect'])}")
    assigned = {"view": shown["view"], **shown["marks"]}
    return lines + [f"{name}.{at} = {literal(value)}" for at, value in assigned.items() if value]


def literal(value: Any) -> str:
    """A Python literal of a value that could be JSON."""
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(literal, value)) + "]"
    return _number(value) if isinstance(value, float) else repr(value)


def _comments(shown: Mapping[str, Any], result: Result, of: str) -> Iterator[str]:
    made = result.provenance
    if shown["prompt"] is None:
        readers = {"graph": "hs.load_result or hs.load_graph", "result": "hs.load_result"}
        yield f"# {of}: {visible(result.title)}, as {readers[_still(result)]} reads it"
        return
    weights = "processed weights" if made.processed_weights else "weights as trained"
    revision = [f"revision {visible(made.revision)}"] if made.revision else []
    parts = (*map(visible, (made.model, made.architecture, made.dtype)), weights, *revision)
    yield f"# {of}: {', '.join(parts)}"
    if "transcoders" in shown["arguments"]:
        yield f"# transcoders: {visible(shown['arguments']['transcoders'])}"


def _still(result: Result) -> str:
    """What a widget with no model is made of."""
    return "graph" if isinstance(result, CircuitGraph) else "result"


def _arguments(shown: Mapping[str, Any], of: str) -> Iterator[str]:
    yield of
    if shown["prompt"] is None:
        return
    besides = dict(shown["arguments"])
    pairs, prompt = besides.pop("pairs", None), besides.pop("prompt", shown["prompt"])
    if pairs is None:
        yield literal(prompt)
    else:
        yield f"[{', '.join(f'hs.Pair({literal(pair)[1:-1]})' for pair in pairs)}]"
    if besides.pop("transcoders", None) is not None:
        yield "transcoders=transcoders"
    for field in shown["fields"]:
        name = field["name"]
        value = besides.pop(name, shown["values"][name])
        in_pairs = pairs is not None and name in ("corrupted", "answer", "wrong")
        if value is None or value == "" or in_pairs:
            continue
        plain = field["type"] == "line" and _is_number(value)
        yield f"{name}={value if plain else literal(value)}"
    for name, value in besides.items():
        yield f"{name}={literal(value)}"
    if shown["interventions"]:
        yield f"interventions={literal(shown['interventions'])}"
    selected = {name: at for name, at in shown["selection"].items() if at is not None}
    if selected:
        yield f"selection={literal(selected)}"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if glyph_of(character) == character:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _number(value: float) -> str:
    size = abs(value)
    if size and not _SMALL <= size < _LARGE:
        mantissa, exponent = f"{value!r}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
    return str(int(value)) if value == math.floor(value) else format(Decimal(repr(value)), "f")


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and _NUMBER.fullmatch(text) is not None
