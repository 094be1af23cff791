"""Getting a model: by Hub name, from a directory, or as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from headscope.arguments import checked, short
from headscope.errors import HeadscopeError, ModelError


@checked
def load(
    source: Any,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Any:
    """Load a model as a TransformerLens `TransformerBridge`, in evaluation mode.

    Args:
        source: A Hub name (`"gpt2"`), a directory written by `save_pretrained`, or a
            `TransformerBridge`, which is returned as it is.
        device: Where to put it; by default TransformerLens decides (CUDA if there is one).
        dtype: Parameter dtype; float32 unless given.

    Returns:
        The bridge; of a model that is loaded here no weights are folded or centred.

    Raises:
        HeadscopeError: The model could not be loaded; the message says what to do.
    """
    from transformer_lens.model_bridge import TransformerBridge

    if isinstance(source, TransformerBridge):
        return source
    if not isinstance(source, (str, Path)):
        raise ModelError(
            f"hs.load takes a name, a directory or a TransformerBridge, not {short(source)}.",
            "For a transformers model: TransformerBridge.boot_transformers(name, hf_model=model).",
        )
    _check_device(device)
    name = str(source)
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise HeadscopeError(
            f"There is no directory {name}.", "Pass one written by save_pretrained."
        )
    try:
        bridge = TransformerBridge.boot_transformers(
            name, device=device, dtype=dtype or torch.float32
        )
    except OSError as missing:
        raise HeadscopeError(
            f"{name!r} is neither a directory here nor reachable on the Hub "
            f"({_first_line(missing)}).",
            "Offline, pass a directory written by save_pretrained (with its tokenizer), "
            "or use hs.load_demo().",
        ) from missing
    except ValueError as unsupported:
        raise ModelError(
            f"TransformerLens does not load {name!r} ({_first_line(unsupported)}).",
            "transformer_lens.supported_models lists what it supports.",
        ) from unsupported
    bridge.eval()
    return bridge


def _check_device(device: str | torch.device | None) -> None:
    """Refuse a device that is not there, before anything is read."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as absent:  # the latter: torch was built without it
        raise ModelError(
            f"There is no device {str(device)!r} here ({_first_line(absent)}).",
            "Leave device out, or pass device='cpu'.",
        ) from absent


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
