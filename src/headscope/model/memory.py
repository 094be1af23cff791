"""Saying that memory will not do before it runs out."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]
import torch

from headscope.errors import ModelError

_SHARE_TO_USE = 0.9


def free_bytes(device: str) -> int | None:
    """Memory that can still be had on `device`; None where that is not known."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available) if kind == "cpu" else None


def refuse_if_too_large(need: int, device: str, what: str) -> None:
    """Refuse work that needs more than is free.

    Args:
        need: Bytes.
        device: Where.
        what: What needs it, as the start of a sentence.

    Raises:
        ModelError: It would not fit.
    """
    free = free_bytes(device)
    if free is not None and need > _SHARE_TO_USE * free:
        raise ModelError(
            f"{what} needs about {need / 1e9:.1f} GB on {device}, {free / 1e9:.1f} GB are free.",
            "Use a shorter prompt, or free memory first.",
        )
