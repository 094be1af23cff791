"""Results on disk: one safetensors file each, the header in its metadata. No pickle anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from headscope.errors import WireError
from headscope.results import Result
from headscope.wire.codec import decode, encode

_KEY = "headscope"


def save(result: Result, path: str | Path) -> Path:
    """Write `result` to `path` in full precision; `.safetensors` is added if there is no suffix."""
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".safetensors")
    payload = encode(result, "exact")
    tensors = {
        f"{i:06d}": np.frombuffer(buffer, dtype=entry["dtype"]).reshape(entry["shape"])
        for i, (entry, buffer) in enumerate(
            zip(payload["header"]["arrays"], payload["buffers"], strict=True)
        )
    }
    save_file(tensors, target, metadata={_KEY: json.dumps(payload["header"], allow_nan=False)})
    return target


def load_result(path: str | Path) -> Result:
    """Read a result that `.save()` wrote. Needs neither torch nor the model.

    Raises:
        WireError: There is no such file, or it is not a saved result.
    """
    source = Path(path)
    if not source.is_file():
        raise WireError(f"There is no file {source}.", "Pass the path that result.save() returned.")
    try:
        with safe_open(source, framework="numpy") as file:
            metadata = file.metadata() or {}
            buffers = [file.get_tensor(key).tobytes() for key in sorted(file.keys())]
    except SafetensorError as broken:
        raise WireError(f"{source.name} is not a safetensors file ({broken}).") from broken
    if _KEY not in metadata:
        raise WireError(f"{source.name} holds tensors, but no Headscope result.")
    try:
        header = json.loads(metadata[_KEY])
    except ValueError as broken:
        raise WireError(f"The header in {source.name} is damaged ({broken}).") from broken
    return decode({"header": header, "buffers": buffers})
