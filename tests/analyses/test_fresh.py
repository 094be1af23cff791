"""An explicit run sees the model as it is, whatever was cached of it."""

from __future__ import annotations

from typing import Any

import numpy as np

import headscope as hs


def test_run_after_a_sparse_edit_through_data_is_not_stale(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, "the cat")
    before = widget.run().values.copy()
    weight = next(p for name, p in gpt2.named_parameters() if "mlp" in name and p.ndim == 2)
    saved = weight.data[:, 3].clone()
    weight.data[:, 3] = 9.0
    try:
        assert not np.array_equal(widget.run().values, before)
    finally:
        weight.data[:, 3] = saved
        widget.close()
