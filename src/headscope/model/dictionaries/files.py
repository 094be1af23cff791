"""Files of dictionaries as a stranger may have written them: opened, never executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open

from headscope.errors import ModelError

_LARGEST_CONFIG = 1_000_000
_PICKLES = {".pt", ".pth", ".bin", ".pkl", ".ckpt"}
_FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


class Weights:
    """The tensors of a safetensors file, memory-mapped: pages that are not used are not read.

    Args:
        path: The file.

    Raises:
        ModelError: It cannot be opened, or is a pickle, which could run code.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        refuse_pickle(path)
        if not path.is_file():
            raise ModelError(f"There is no {path.name} in {path.parent}.", "Is the set complete?")
        try:
            self._file = safe_open(path, "pt")
        except (SafetensorError, OSError) as broken:
            raise ModelError(
                f"{path} is no safetensors file ({broken}).", "Download it again."
            ) from broken
        self.names = frozenset(self._file.keys())

    def get(self, name: str) -> torch.Tensor | None:
        """A tensor, or None if there is none of that name."""
        if name not in self.names:
            return None
        tensor: torch.Tensor = self._file.get_tensor(name)
        if tensor.dtype not in _FLOATS:
            raise ModelError(
                f"{name} in {self.path} is {tensor.dtype}, not a float.", "Convert it first."
            )
        return tensor

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor = self.get(name)
        if tensor is None:
            raise ModelError(
                f"{self.path} has no {name}.", f"It has {', '.join(sorted(self.names)[:8])}."
            )
        return tensor


def refuse_pickle(path: Path) -> None:
    """Refuse a file that could run code when it is opened.

    Raises:
        ModelError: It is one.
    """
    if path.suffix in _PICKLES:
        raise ModelError(
            f"{path.name} is a pickle, which can run code when opened: refused.",
            "Convert it: safetensors.torch.save_file(torch.load(path, weights_only=True), new).",
        )


def read_config(path: Path) -> dict[str, Any]:
    """What a JSON or YAML file says; only plain data is made of it.

    Raises:
        ModelError: It does not parse, is huge, or is no mapping.
    """
    if path.stat().st_size > _LARGEST_CONFIG:
        raise ModelError(f"{path} is too large to be a configuration.", "Is it the right file?")
    try:
        text = path.read_text(encoding="utf-8")
        config = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as broken:
        raise ModelError(
            f"{path} does not parse ({type(broken).__name__}).", "Download it again."
        ) from broken
    if not isinstance(config, dict):
        raise ModelError(f"{path} does not hold names and values.", "Is it the right file?")
    return config
