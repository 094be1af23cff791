"""The codec: what goes in comes out, and nothing malformed gets through."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headscope.errors import ResultError, WireError
from headscope.results import Axis, Grid, Measure, Patterns, Result, Scale
from headscope.wire import VERSION, decode, encode
from headscope.wire.codec import pack_array
from headscope.wire.codegen import generate
from headscope.wire.files import load_result
from tests.golden import build

KINDS = sorted(build.RESULTS)
TYPES = Path(__file__).parents[2] / "js" / "src" / "wire" / "types.ts"


def assert_same(one: Any, other: Any, tolerance: float = 0.0) -> None:
    """Equal in every field, arrays with their dtypes and NaNs."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), tolerance)
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b, tolerance)
    else:
        assert one == other


def payload(kind: str) -> dict[str, Any]:
    """A golden payload that a test may break."""
    encoded = encode(build.RESULTS[kind]())
    header = json.loads(json.dumps(encoded["header"], allow_nan=False))
    return {"header": header, "buffers": list(encoded["buffers"])}


@pytest.mark.parametrize("kind", KINDS)
def test_exact_round_trip(kind: str) -> None:
    result = build.RESULTS[kind]()
    assert_same(decode(encode(result, "exact")), result)


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_through_json_loses_only_half_precision(kind: str) -> None:
    assert_same(decode(payload(kind)), build.RESULTS[kind](), tolerance=2.0**-11)


@pytest.mark.parametrize("seed", range(20))
def test_random_grids_survive(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(0, 6, size=random.integers(2, 5)))
    axes = tuple(
        Axis(
            f"axis {i}",
            tuple(chr(c) for c in random.integers(32, 0xD000, n)),
            tokens=bool(random.integers(2)),
        )
        for i, n in enumerate(shape)
    )
    measures = []
    for name in "abc":
        values = random.normal(scale=10.0 ** random.integers(-8, 8), size=shape).astype("float32")
        values[random.random(shape) < 0.2] = np.nan
        measures.append(Measure(name, name, "", "", values, Scale.diverging(values)))
    grid = Grid("random", axes, tuple(measures), build.provenance("random", "none"))
    through_json = json.loads(json.dumps(encode(grid)["header"], allow_nan=False))
    assert_same(decode({"header": through_json, "buffers": encode(grid)["buffers"]}), grid)


def test_big_endian_and_strided_arrays_travel_as_what_they_mean() -> None:
    values = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2]
    header, buffer = pack_array(values)
    assert header == {"dtype": "float32", "shape": [3, 2]}
    np.testing.assert_array_equal(np.frombuffer(buffer, "<f4").reshape(3, 2), values)


def test_a_dtype_that_javascript_lacks_is_refused() -> None:
    with pytest.raises(WireError, match="int64"):
        pack_array(np.arange(3))


def test_weights_travel_in_half_precision_only() -> None:
    arrays = encode(build.patterns())["header"]["arrays"]
    assert [a["dtype"] for a in arrays if a["shape"] == [7, 7]] == ["float16"]
    exact = encode(build.patterns(), "exact")["header"]["arrays"]
    assert [a["dtype"] for a in exact if a["shape"] == [7, 7]] == ["float32"]


def _set(target: Any, *path: Any, value: Any) -> None:
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value


def _drop(target: Any, *path: Any) -> None:
    for key in path[:-1]:
        target = target[key]
    del target[path[-1]]


BROKEN = {
    "no header": lambda p: _drop(p, "header"),
    "no buffers": lambda p: _drop(p, "buffers"),
    "no version": lambda p: _drop(p, "header", "version"),
    "future version": lambda p: _set(p, "header", "version", value=VERSION + 1),
    "true as version": lambda p: _set(p, "header", "version", value=True),
    "unknown kind": lambda p: _set(p, "header", "kind", value="circuit"),
    "another kind": lambda p: _set(p, "header", "kind", value="patterns"),
    "unknown dtype": lambda p: _set(p, "header", "arrays", 0, "dtype", value="float64"),
    "dtype of another field": lambda p: _set(p, "header", "arrays", 0, "dtype", value="int32"),
    "no dtype": lambda p: _drop(p, "header", "arrays", 0, "dtype"),
    "negative shape": lambda p: _set(p, "header", "arrays", 0, "shape", value=[-3, -7]),
    "shape of strings": lambda p: _set(p, "header", "arrays", 0, "shape", value=["3", "7"]),
    "shape that does not fit the axes": lambda p: _set(
        p, "header", "arrays", 0, "shape", value=[7, 3]
    ),
    "short buffer": lambda p: _set(p, "buffers", 0, value=p["buffers"][0][:-1]),
    "long buffer": lambda p: _set(p, "buffers", 0, value=p["buffers"][0] + b"\0"),
    "missing buffer": lambda p: _drop(p, "buffers", 0),
    "array out of range": lambda p: _set(
        p, "header", "data", "measures", 0, "values", value={"$array": 99}
    ),
    "array from the end": lambda p: _set(
        p, "header", "data", "measures", 0, "values", value={"$array": -1}
    ),
    "array in line": lambda p: _set(p, "header", "data", "measures", 0, "values", value=[1, 2]),
    "missing field": lambda p: _drop(p, "header", "data", "measures", 0, "unit"),
    "unknown field": lambda p: _set(p, "header", "data", "axes", 0, "colour", value="red"),
    "number for text": lambda p: _set(p, "header", "data", "title", value=3),
    "text for number": lambda p: _set(
        p, "header", "data", "measures", 0, "scale", "high", value="1"
    ),
    "number for flag": lambda p: _set(p, "header", "data", "axes", 0, "tokens", value=1),
    "unknown literal": lambda p: _set(p, "header", "data", "axes", 0, "selects", value="row"),
    "impossible scale": lambda p: _set(
        p, "header", "data", "measures", 0, "scale", "low", value=2.0
    ),
    "null result": lambda p: _set(p, "header", "data", value=None),
}


@pytest.mark.parametrize("case", BROKEN)
def test_malformed_payloads_are_refused(case: str) -> None:
    broken = payload("grid")
    decode(broken)
    BROKEN[case](broken)
    with pytest.raises(ResultError) as refusal:
        decode(broken)
    assert "\n" not in str(refusal.value)


def test_not_a_number_never_reaches_json() -> None:
    grid = build.grid()
    broken = dataclasses.replace(
        grid, identity=dataclasses.replace(grid.identity, residue=float("nan"))
    )
    with pytest.raises(WireError, match="nan"):
        encode(broken)


@pytest.mark.parametrize("kind", KINDS)
def test_files_keep_every_bit(kind: str, tmp_path: Path) -> None:
    result: Result = build.RESULTS[kind]()
    path = result.save(tmp_path / "result")
    assert path == tmp_path / "result.safetensors"
    assert_same(load_result(path), result)


def test_files_keep_weights_that_half_precision_would_round(tmp_path: Path) -> None:
    patterns = build.patterns()
    assert (patterns.heads[0].weights.astype("float16") != patterns.heads[0].weights).any()
    loaded = load_result(patterns.save(tmp_path / "p.safetensors"))
    assert isinstance(loaded, Patterns)
    np.testing.assert_array_equal(loaded[1, 0], patterns[1, 0])


def test_files_that_are_no_results_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    with pytest.raises(WireError, match="no file"):
        load_result(tmp_path / "absent.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(WireError, match="not a safetensors file"):
        load_result(text)
    bare = tmp_path / "bare.safetensors"
    save_file({"x": np.zeros(3, np.float32)}, bare)
    with pytest.raises(WireError, match="no Headscope result"):
        load_result(bare)


def test_typescript_types_are_up_to_date() -> None:
    assert TYPES.read_text() == generate(), "run: python -m headscope.wire.codegen"


@pytest.mark.parametrize("kind", KINDS)
def test_golden_payloads_are_up_to_date(kind: str) -> None:
    committed = (build.HERE / f"{kind}.json").read_text(encoding="utf-8")
    assert committed == build.text(build.RESULTS[kind]()), "run: python -m tests.golden.build"
