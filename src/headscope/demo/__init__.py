"""The embedded model: a small GPT-2 trained on a synthetic world, which works offline.

`load_demo()` gives the live model, `load_demo_transcoders()` its transcoders, `prompts` named
prompt pairs for each task it can do. The card in `demo-model/README.md` says how well, measured on
prompts that were held out of training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headscope.arguments import checked
from headscope.demo.prompts import PromptPair, prompts
from headscope.demo.world import states

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

    from headscope.model.dictionaries import Transcoders

MODEL_DIR = Path(__file__).parent / "demo-model"
TRANSCODERS_DIR = Path(__file__).parent / "demo-transcoders"


@checked
def load_demo() -> TransformerBridge:
    """The embedded model as a TransformerLens bridge: CPU, float32, evaluation mode."""
    from headscope.model import load

    with _no_progress_bar():
        bridge: TransformerBridge = load(MODEL_DIR)
    return bridge


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """It is over in a moment, and would stay in a saved notebook as a widget that never loads."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@checked
def load_demo_transcoders() -> Transcoders:
    """The embedded model's transcoders, one per layer, with `texts()` to show features on.

    How faithful they are says `demo-transcoders/README.md`.
    """
    from headscope.model.dictionaries import load_transcoders

    return replace(load_transcoders(TRANSCODERS_DIR), texts=texts())


@checked
def texts(n: int = 400) -> tuple[str, ...]:
    """Sentences of the embedded model's world, the same ones at every call.

    Args:
        n: How many.
    """
    import numpy as np

    from headscope.demo.corpus import sentences

    return tuple(sentence.text for sentence in islice(sentences(np.random.default_rng(0)), n))


def card() -> dict[str, Any]:
    """What was measured when the model was trained (`demo-model/card.json`)."""
    return _measured(MODEL_DIR)


def transcoders_card() -> dict[str, Any]:
    """What was measured when the transcoders were trained (`demo-transcoders/card.json`)."""
    return _measured(TRANSCODERS_DIR)


def _measured(folder: Path) -> dict[str, Any]:
    import json

    measured: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return measured


__all__ = [
    "MODEL_DIR",
    "TRANSCODERS_DIR",
    "PromptPair",
    "card",
    "load_demo",
    "load_demo_transcoders",
    "prompts",
    "states",
    "texts",
    "transcoders_card",
]
