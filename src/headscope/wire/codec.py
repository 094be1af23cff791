"""Encode and decode results by their own dataclass definitions.

The dataclasses in `headscope.results` are the schema: a field added there travels without another
line here, and `headscope.wire.codegen` writes the TypeScript types from the same definitions.

A payload is `{"header": {...}, "buffers": [bytes, ...]}`. The header holds `version`, `kind`,
`arrays` (one `{dtype, shape}` per buffer, little-endian, C order) and `data`, in which an array is
replaced by `{"$array": index}`. Not-a-number exists in buffers only, never in JSON. The entry of an
array that was rounded for a saved page says what its numbers stand for and how far off they are.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypedDict, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt

from headscope.errors import WireError
from headscope.results import CircuitGraph, Grid, Patterns, Result
from headscope.results.axes import ArraySpec
from headscope.wire.rounding import Rounding, restored, rounded

VERSION = 1

KINDS: Mapping[str, type[Grid] | type[Patterns] | type[CircuitGraph]] = {
    kind.result_kind: kind for kind in get_args(Result)
}

_SCALARS = (str, bool, int, float)

DTYPES = ("float32", "float16", "int32", "uint8")


Precision = Literal["exact", "wire", "coarse"]
"""In which of its dtypes an array travels; see `ArraySpec`."""


class _Buffer(TypedDict):
    dtype: Literal["float32", "float16", "int32", "uint8"]
    shape: list[int]


class ArrayHeader(_Buffer, total=False):
    """dtype and shape of one buffer; where it was rounded, what its numbers stand for."""

    rounding: Rounding


class Header(TypedDict):
    """The JSON half of a payload."""

    version: int
    kind: str
    arrays: list[ArrayHeader]
    data: dict[str, Any]


class Payload(TypedDict):
    """A result on the wire."""

    header: Header
    buffers: list[bytes]


def encode(result: Result, precision: Precision = "wire") -> Payload:
    """Turn a result into a payload.

    Args:
        result: Any result kind.
        precision: `exact` keeps every array's own dtype (saved files), `wire` takes the narrower
            one in which it travels to the browser, `coarse` the narrowest (large saved pages).
    """
    data, arrays, buffers = encode_part(result, precision)
    header: Header = {
        "version": VERSION,
        "kind": result.result_kind,
        "arrays": arrays,
        "data": data,
    }
    return {"header": header, "buffers": buffers}


def encode_part(
    part: Any, precision: Precision = "wire"
) -> tuple[Any, list[ArrayHeader], list[bytes]]:
    """Any dataclass of a result as JSON, the headers of its arrays, and their buffers."""
    arrays: list[ArrayHeader] = []
    buffers: list[bytes] = []

    def pack(value: Any, hint: Any) -> Any:
        if value is None:
            return None
        spec = _array_spec(_present(hint))
        if spec is not None:
            header, buffer = _pack(value, spec, precision)
            arrays.append(header)
            buffers.append(buffer)
            return {"$array": len(buffers) - 1}
        if dataclasses.is_dataclass(value):
            hints = _hints(type(value))
            return {
                f.name: pack(getattr(value, f.name), hints[f.name])
                for f in dataclasses.fields(value)
            }
        if isinstance(value, tuple):
            item = _item_hint(hint)
            return [pack(v, item) for v in value]
        if isinstance(value, Mapping):
            return {str(k): pack(v, Any) for k, v in value.items()}
        if isinstance(value, float) and not math.isfinite(value):
            raise WireError(f"{value} cannot be written as JSON: keep it in an array.")
        return value

    return pack(part, type(part)), arrays, buffers


def _pack(
    array: npt.NDArray[Any], spec: ArraySpec, precision: Precision
) -> tuple[ArrayHeader, bytes]:
    if precision == "coarse" and spec.coarse is not None:
        found = rounded(array, spec.coarse)
        if found is not None:
            header, buffer = pack_array(found[0])
            return {**header, "rounding": found[1]}, buffer
    narrower = None if precision == "exact" else spec.wire
    return pack_array(array, narrower or spec.dtype)


def pack_array(array: npt.NDArray[Any], dtype: str | None = None) -> tuple[ArrayHeader, bytes]:
    """One array as it travels: little-endian, C order, in its own dtype unless another is given.

    Raises:
        WireError: The dtype does not travel.
    """
    name = dtype or array.dtype.name
    if name not in DTYPES:
        raise WireError(f"An array of {name} does not travel.", f"Cast it: {', '.join(DTYPES)}.")
    packed = np.ascontiguousarray(array, dtype=np.dtype(name).newbyteorder("<"))
    # ascontiguousarray makes a scalar one-dimensional; the shape is that of what was given.
    return {"dtype": typing.cast("Any", name), "shape": list(array.shape)}, packed.tobytes()


def decode(payload: Mapping[str, Any]) -> Result:
    """Read a payload back, validating version, kind, dtypes, shapes and lengths.

    Raises:
        WireError: The payload is malformed or of another version.
    """
    try:
        header, buffers = payload["header"], payload["buffers"]
        version, kind, entries = header["version"], header["kind"], header["arrays"]
    except (KeyError, TypeError) as missing:
        raise WireError(f"This is not a Headscope payload: {missing} is missing.") from missing
    if version != VERSION or isinstance(version, bool):
        raise WireError(
            f"The payload is version {version}, this is version {VERSION}.",
            "Open it with the Headscope release that wrote it.",
        )
    if kind not in KINDS:
        raise WireError(f"Unknown result kind {kind!r}.", f"Known: {', '.join(KINDS)}.")
    if len(entries) != len(buffers):
        raise WireError(f"{len(entries)} arrays are announced, {len(buffers)} buffers came.")
    try:
        arrays = [_array(e, b, i) for i, (e, b) in enumerate(zip(entries, buffers, strict=True))]
        return typing.cast("Result", _unpack(header["data"], KINDS[kind], arrays))
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as broken:
        raise WireError(f"The payload does not describe a {kind}: {broken}.") from broken


def _array(entry: ArrayHeader, buffer: bytes, index: int) -> np.ndarray[Any, Any]:
    if entry["dtype"] not in DTYPES:
        raise WireError(f"Array {index} has the unknown dtype {entry['dtype']!r}.")
    if any(not isinstance(n, int) or n < 0 for n in entry["shape"]):
        raise WireError(f"Array {index} has the impossible shape {entry['shape']}.")
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    expected = math.prod(entry["shape"]) * dtype.itemsize
    if len(buffer) != expected:
        raise WireError(f"Array {index} needs {expected} bytes, {len(buffer)} came.")
    array = np.frombuffer(buffer, dtype=dtype).reshape(entry["shape"])
    return restored(array, entry["rounding"]) if "rounding" in entry else array


def _unpack(value: Any, hint: Any, arrays: Sequence[np.ndarray[Any, Any]]) -> Any:
    spec = _array_spec(hint)
    if spec is not None:
        return _field_array(arrays, value["$array"], spec)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        present = _present(hint)
        if present is not hint:
            return _unpack(value, present, arrays)
        return tuple(value) if isinstance(value, list) else value
    if dataclasses.is_dataclass(hint):
        hints = _hints(hint)
        known = {f.name for f in dataclasses.fields(hint)}
        if extra := set(value) - known:
            raise WireError(f"Unknown fields {sorted(extra)} in {getattr(hint, '__name__', hint)}.")
        return typing.cast("type", hint)(
            **{k: _unpack(v, hints[k], arrays) for k, v in value.items()}
        )
    if origin is tuple:
        item = _item_hint(hint)
        return tuple(_unpack(v, item, arrays) for v in value)
    if origin is Mapping:
        item = get_args(hint)[1]
        return {k: _unpack(v, item, arrays) for k, v in value.items()}
    if origin is Literal and value not in get_args(hint):
        raise WireError(f"{value!r} is none of {', '.join(map(repr, get_args(hint)))}.")
    if hint in _SCALARS and not _is_scalar(value, hint):
        raise WireError(f"{value!r} stands where a {hint.__name__} belongs.")
    return value


def _is_scalar(value: Any, hint: type) -> bool:
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (float, int) if hint is float else hint)


def _field_array(
    arrays: Sequence[np.ndarray[Any, Any]], index: int, spec: ArraySpec
) -> np.ndarray[Any, Any]:
    if not 0 <= index < len(arrays):
        raise WireError(f"There is no array {index}: {len(arrays)} came.")
    if arrays[index].dtype.name not in (spec.dtype, spec.wire):
        raise WireError(f"Array {index} is {arrays[index].dtype.name}, expected {spec.dtype}.")
    return arrays[index].astype(spec.dtype)


def _resolve(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


_hints: Callable[[Any], dict[str, Any]] = cache(_resolve)


def _array_spec(hint: Any) -> ArraySpec | None:
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, ArraySpec):
                return extra
    return None


def _present(hint: Any) -> Any:
    """`X` of `X | None`; any other hint as it is."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    options = [option for option in get_args(hint) if option is not type(None)]
    return options[0] if len(options) == 1 else hint


def _item_hint(hint: Any) -> Any:
    """The item type of `tuple[X, ...]`, also inside a union."""
    for candidate in (hint, *get_args(hint)):
        if get_origin(candidate) is tuple:
            return get_args(candidate)[0]
    return Any
