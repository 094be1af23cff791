"""Where four stages of inference begin and end: rules over curves, one number per layer.

The stages and their order are those of Lad, Gurnee & Tegmark 2024, "The Remarkable Robustness of
LLMs: Stages of Inference?"; the rules are Headscope's own, and the simplest that say what the paper
shows in its figures. They follow each other with no gap and no overlap: where rules meet, the first
and the last stage keep their layers. A model need not show all four: each is None where its rule
finds no layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from headscope.results import Stretch

Curve = npt.NDArray[Any]

_NAMES = (
    "Detokenisation", "Feature engineering", "Prediction ensembling", "Residual sharpening",
)  # fmt: skip
_RULES = (
    "From the first layer on, as long as attention to nearby tokens is above its mean over all "
    "layers: words are put together from their tokens.",
    "Between detokenisation and prediction ensembling, or residual sharpening if that comes first: "
    "features are built, and the lens is not near the output yet.",
    "Behind detokenisation, from where KL to the final output stays below half of its largest "
    "value, up to residual sharpening or the last layer: the prediction takes shape.",
    "The last layers, behind detokenisation, as long as suppression neurons outnumber prediction "
    "neurons: what does not belong is taken out.",
)


def stages(curves: Mapping[str, Curve]) -> tuple[Stretch, ...]:
    """The four stages.

    Args:
        curves: `nearby`, `kl`, `prediction` and `suppression`, each `[layer]`; NaN where unknown.
    """
    n = len(curves["kl"])
    near = curves["nearby"]
    local = _leading(near > np.mean(near))
    sharp = max(local, n - _leading((curves["suppression"] > curves["prediction"])[::-1]))
    close = n - _leading((curves["kl"] < np.max(curves["kl"]) / 2)[::-1])
    close = min(max(local, close), sharp)
    found = ((0, local), (local, close), (close, sharp), (sharp, n))
    return tuple(
        Stretch(name, rule, *((start, end - 1) if start < end else (None, None)))
        for name, rule, (start, end) in zip(_NAMES, _RULES, found, strict=True)
    )


def _leading(holds: Curve) -> int:
    """For how many layers from the first on it holds."""
    return int(np.argmin(holds)) if not holds.all() else len(holds)
