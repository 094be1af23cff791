"""The embedded model: a small GPT-2 trained on a synthetic world, which works offline.

`load_demo()` gives the live model, `prompts` named prompt pairs for each task it can do. The card
in `demo-model/README.md` says how well, measured on prompts that were held out of training.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headscope.demo.prompts import PromptPair, prompts

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

MODEL_DIR = Path(__file__).parent / "demo-model"


def load_demo() -> TransformerBridge:
    """The embedded model as a TransformerLens bridge: CPU, float32, evaluation mode."""
    from headscope.model import load

    bridge: TransformerBridge = load(MODEL_DIR)
    return bridge


def card() -> dict[str, Any]:
    """What was measured when the model was trained (`demo-model/card.json`)."""
    import json

    measured: dict[str, Any] = json.loads((MODEL_DIR / "card.json").read_text(encoding="utf-8"))
    return measured


__all__ = ["MODEL_DIR", "PromptPair", "card", "load_demo", "prompts"]
