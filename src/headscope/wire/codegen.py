"""Write `js/src/wire/types.ts` from the Python definitions: `python -m headscope.wire.codegen`.

The file is committed; a test regenerates it and fails on drift.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from headscope.results import Result
from headscope.wire import messages
from headscope.wire.codec import DTYPES, VERSION, ArrayHeader, _array_spec

_SCALARS = {int: "number", float: "number", str: "string", bool: "boolean", type(None): "null"}

_HEAD = f"""\
// Written by `python -m headscope.wire.codegen` from the Python definitions. Do not edit.

export const VERSION = {VERSION};

/** An array on the page: `data` in C order, float16 and what was rounded widened to float32. */
export interface NdArray {{
  dtype: ArrayHeader["dtype"];
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
  /** Most by which a number is off for having been rounded. */
  bound?: number;
}}

/** A result as it travels: arrays in `data` are `{{"$array": index}}`. */
export interface Header {{
  version: number;
  kind: string;
  arrays: ArrayHeader[];
  data: Record<string, unknown>;
}}
"""


def generate() -> str:
    """The whole TypeScript file."""
    roots = [ArrayHeader, *get_args(Result)]
    roots += [v for v in vars(messages).values() if typing.is_typeddict(v)]
    written: dict[str, str] = {}
    for root in roots:
        _declare(root, written)
    unions = {
        "Result": [c.__name__ for c in get_args(Result)],
        "PageMessage": [c.__name__ for c in get_args(messages.PageMessage)],
        "KernelMessage": [c.__name__ for c in get_args(messages.KernelMessage)],
    }
    aliases = [f"export type {name} = {' | '.join(names)};" for name, names in unions.items()]
    return "\n".join([_HEAD, *written.values(), *aliases, *_interventions(written), ""])


def _interventions(written: dict[str, str]) -> list[str]:
    """Interventions and directions, each a union told apart by `kind`."""
    from headscope.interventions.directions import DIRECTIONS, Direction
    from headscope.interventions.kinds import KINDS

    named = {**written, Direction.__name__: ""}

    def of(kind: type[Any]) -> str:
        hints = typing.get_type_hints(kind)
        fields = [f"{f.name}: {_ts(hints[f.name], named)}" for f in dataclasses.fields(kind)]
        text = f'{{ kind: "{kind.kind}"; {"; ".join(fields)} }}'
        return re.sub(rf"\b{Direction.__name__}\b", "DirectionData", text)

    return [
        f"\n/** {doc} */\nexport type {name} =\n  | {(chr(10) + '  | ').join(map(of, kinds))};"
        for name, doc, kinds in (
            ("DirectionData", "A direction in the residual stream.", DIRECTIONS.values()),
            ("InterventionData", "A change of how a model computes.", KINDS.values()),
        )
    ]


def _declare(cls: Any, written: dict[str, str]) -> None:
    if cls.__name__ in written:
        return
    written[cls.__name__] = ""  # reserves the place: referenced types come after it
    hints = typing.get_type_hints(cls, include_extras=True)
    names = (
        [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else list(hints)
    )
    optional: frozenset[str] = getattr(cls, "__optional_keys__", frozenset())
    fields = [
        f"  {name}{'?' if name in optional else ''}: {_ts(hints[name], written)};" for name in names
    ]
    doc = (cls.__doc__ or "").strip().splitlines()[0]
    written[cls.__name__] = "\n".join(
        [f"/** {doc} */", f"export interface {cls.__name__} {{", *fields, "}", ""]
    )


def _ts(hint: Any, written: dict[str, str]) -> str:
    if _array_spec(hint) is not None:
        return "NdArray"
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hint is Any:
        return "unknown"
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{a}"' for a in args)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_ts(a, written) for a in args))
    if origin is tuple and args[-1] is not ...:
        return f"[{', '.join(_ts(arg, written) for arg in args)}]"
    if origin in (tuple, list):
        item = _ts(args[0], written)
        return f"({item})[]" if " | " in item else f"{item}[]"
    if origin is not None and len(args) == 2:
        return f"Record<string, {_ts(args[1], written)}>"
    _declare(hint, written)
    return str(hint.__name__)


def main() -> int:
    """Write the file beside the front end's sources."""
    target = Path(__file__).parents[3] / "js" / "src" / "wire" / "types.ts"
    target.write_text(generate())
    sys.stdout.write(f"{target.name}: {len(DTYPES)} dtypes, version {VERSION}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
