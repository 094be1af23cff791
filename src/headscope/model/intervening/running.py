"""One prompt under changing interventions: what lies below the lowest of them is not run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from headscope.model.direct_runs import record
from headscope.model.intervening.applying import Plan
from headscope.model.live import LiveModel
from headscope.model.recorded import leaving_no_trace
from headscope.model.resumed import Resumption, passing_over
from headscope.model.runs import LOGITS, Site


class Baseline:
    """A prompt's plain run, from which runs under interventions start.

    Cost: one forward pass, and a few more when the model is seen for the first time, which try
    whether a run can start in the middle. Holds `[n_layers + 1, position, d_model]` numbers and the
    keys and values.

    Args:
        model: The model.
        token_ids: The prompt.
    """

    def __init__(self, model: LiveModel, token_ids: Sequence[int]) -> None:
        model.ready()
        self._model = model
        self._state = model.state()
        self._recorded = record(model.bridge, [list(token_ids)])
        self._shortcuts = Resumption(
            model.bridge, self._recorded, [self._recorded.length - 1]
        ).shortcuts
        last = Site(LOGITS, 0, self._recorded.length - 1)
        #: The plain model's logits at the last position, float32 `[d_vocab]`.
        self.logits = model.activations(tuple(token_ids), [last])[last]

    @property
    def holds(self) -> bool:
        """Whether the model is as it was."""
        return bool(self._model.state() == self._state)

    def run(self, plan: Plan) -> torch.Tensor:
        """The logits at the last position under `plan`, float32 `[d_vocab]`.

        Cost: one pass through the blocks from `plan.lowest` on, or a whole one where the model
        cannot start in the middle (see `Resumption`).

        Raises:
            HeadscopeError: An intervention does not fit the prompt.
        """
        bridge, recorded = self._model.bridge, self._recorded
        if plan.lowest == self._model.n_layers:
            return self.logits
        last = ("unembed.hook_in", lambda stream, hook: stream[:, -1:])
        # The stream is put in where a block is entered: one that runs once, in its own place.
        first = max(plan.lowest - bool(plan.forwards), 0) if self._shortcuts.layers else 0
        arguments: dict[str, Any] = {} if first == 0 else {"start_at_layer": first}
        given = recorded.streams[:, first] if first else recorded.token_ids
        with (
            torch.no_grad(),
            self._model.own_hooks(),
            leaving_no_trace(bridge),
            passing_over(bridge, first, recorded),
            plan.installed(recorded.token_ids),
        ):
            output = bridge.run_with_hooks(given, fwd_hooks=[last], **arguments)
        logits: torch.Tensor = output[0, -1].float()
        return logits
