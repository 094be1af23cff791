"""Results on disk: one safetensors file each, the header in its metadata. No pickle anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from headscope.arguments import checked
from headscope.errors import WireError
from headscope.results import Result
from headscope.wire.codec import decode, encode
from headscope.wire.paths import existing, write

_KEY = "headscope"
_AGAIN = "Save the result again."


def save(result: Result, path: str | Path) -> Path:
    """Write `result` to `path` in full precision, as `paths.write` does."""
    payload = encode(result, "exact")
    tensors = {
        f"{i:06d}": np.frombuffer(buffer, dtype=entry["dtype"]).reshape(entry["shape"])
        for i, (entry, buffer) in enumerate(
            zip(payload["header"]["arrays"], payload["buffers"], strict=True)
        )
    }
    header = json.dumps(payload["header"], allow_nan=False)
    return write(
        path, ".safetensors", lambda file: save_file(tensors, file, metadata={_KEY: header})
    )


@checked
def load_result(path: str | Path) -> Result:
    """Read a result that `.save()` wrote. Needs neither torch nor the model.

    Raises:
        WireError: There is no such file, or it is not a saved result.
    """
    source = existing(path, "Pass the path that result.save() returned.")
    try:
        with safe_open(source, framework="numpy") as file:
            metadata = file.metadata() or {}
            buffers = [file.get_tensor(key).tobytes() for key in sorted(file.keys())]
    except SafetensorError as broken:
        raise WireError(
            f"{source.name} is not a safetensors file ({broken}).",
            "result.save() writes one; graph files of JSON are opened by hs.load_graph(path).",
        ) from broken
    if _KEY not in metadata:
        raise WireError(
            f"{source.name} holds tensors, but no Headscope result.", "result.save() writes one."
        )
    try:
        header = json.loads(metadata[_KEY])
    except ValueError as broken:
        raise WireError(f"The header in {source.name} is damaged ({broken}).", _AGAIN) from broken
    return decode({"header": header, "buffers": buffers})
