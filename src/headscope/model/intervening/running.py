"""One prompt under changing interventions: what lies below the lowest of them is not run again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headscope.model.direct_runs import record
from headscope.model.intervening.applying import Plan
from headscope.model.live import LiveModel
from headscope.model.passing_over import passing_over
from headscope.model.recorded import leaving_no_trace
from headscope.model.resumed import Resumption


@dataclass(frozen=True)
class Run:
    """What a run under interventions gave.

    Args:
        logits: float32 `[position, d_vocab]` at the positions that were asked for.
        seen: Activations that were asked for, `[position, ...]`. Those of blocks that were not run
            are not among them: they are the plain run's.
    """

    logits: torch.Tensor
    seen: dict[str, torch.Tensor]


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
        last = [self._recorded.length - 1]
        self._shortcuts = Resumption(model.bridge, self._recorded, last).shortcuts

    def run(self, plan: Plan, positions: Sequence[int] = (-1,), seen: Iterable[str] = ()) -> Run:
        """The prompt under `plan`.

        Cost: one pass through the blocks from `plan.lowest` on, or a whole one where the model
        cannot start in the middle (see `Resumption`).

        Args:
            plan: Interventions.
            positions: Where logits are wanted.
            seen: Hooks whose activations are wanted.

        Raises:
            ResultError: The model is not the one whose plain run this is, or not the plan's.
            HeadscopeError: An intervention does not fit the prompt.
        """
        self._model.still(self._state, "its plain run")
        plan.check(self._model)
        bridge, recorded = self._model.bridge, self._recorded
        found: dict[str, torch.Tensor] = {}

        def look(name: str) -> tuple[str, Any]:
            return name, lambda value, hook: found.__setitem__(name, value[0].detach().clone())

        where = [position % recorded.length for position in positions]
        hooks: list[tuple[str, Any]] = [*map(look, seen)]
        hooks.append(("unembed.hook_in", lambda stream, hook: stream[:, where]))
        # The stream is put in where a block is entered: one that runs once, in its own place.
        first = max(min(plan.lowest, self._model.n_layers - 1) - bool(plan.forwards), 0)
        first = first if self._shortcuts.layers else 0
        arguments: dict[str, Any] = {} if first == 0 else {"start_at_layer": first}
        given = recorded.streams[:, first] if first else recorded.token_ids
        with (
            torch.no_grad(),
            self._model.own_hooks(),
            leaving_no_trace(bridge),
            passing_over(bridge, first, recorded),
            plan.installed(recorded.token_ids),
        ):
            output = bridge.run_with_hooks(given, fwd_hooks=hooks, **arguments)
        return Run(output[0].float(), found)
