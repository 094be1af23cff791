"""Interventions put on a model, and taken off again."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch

from headscope.errors import ModelError, RequestError, ResultError
from headscope.interventions import Interventions
from headscope.interventions import kinds as k
from headscope.model.dictionaries import Transcoders
from headscope.model.intervening import attention, edits, layers
from headscope.model.intervening.building import Building, Hook
from headscope.model.intervening.clock import Clock
from headscope.model.live import LiveModel
from headscope.model.recorded import forwards_replaced, record
from headscope.model.runs import RunCache

_BUILDERS: dict[type[k.Intervention], Callable[[Building, Any], Iterable[float] | None]] = {
    k.Zero: edits.zero, k.Mean: edits.mean, k.Patch: edits.patch, k.Scale: edits.scale,
    k.Clamp: edits.clamp, k.Steer: edits.steer, k.KnockOut: attention.knock_out,
    k.FreezePattern: attention.freeze_pattern, k.Skip: layers.skip, k.Swap: layers.swap,
    k.Repeat: layers.repeat,
}  # fmt: skip
_HELD: WeakKeyDictionary[LiveModel, WeakSet[Plan]] = WeakKeyDictionary()
"""Per model the plans that somebody holds."""
_OPEN: WeakKeyDictionary[Any, list[ExitStack]] = WeakKeyDictionary()
"""Per bridge what is installed on it, the last on top."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What interventions come to on a model: nothing of it is installed.

    Args:
        model: The model.
        hooks: Hook points and functions, in order.
        forwards: Blocks that compute something else.
        lowest: The first layer at which anything differs; the number of layers if nothing does.
        clock: Which tokens a pass is about; whoever runs it from the middle sets it.
        state: Of the model (`LiveModel.state`), whose recorded activations the hooks hold.
        interventions: Those that are on.
        transcoders: Whose features are clamped.
        left_out: Blocks that do not run.
        places: For each place in the stack the block whose output leaves it.
        runs: Runs with these interventions, as long as there is room.
    """

    model: LiveModel
    hooks: tuple[Hook, ...]
    forwards: dict[Any, Any]
    lowest: int
    clock: Clock
    state: Any
    interventions: Interventions
    transcoders: Transcoders | None
    left_out: frozenset[int]
    places: tuple[int, ...]
    runs: RunCache = field(default_factory=RunCache)

    def check(self, model: LiveModel) -> None:
        """Refuse to change another model than the one that this was worked out on.

        Raises:
            ResultError: It is another one, or its weights or hooks have changed.
        """
        if model is not self.model or model.state() != self.state:
            raise ResultError(
                "The interventions were worked out on another model, or before its weights or "
                "hooks changed.",
                "Apply them again.",
            )

    def disown(self) -> None:
        """Let whoever needs the same work it out anew; see `held`."""
        _HELD[self.model].discard(self)

    @property
    def described(self) -> tuple[str, ...]:
        """Each intervention as JSON."""
        return tuple(json.dumps(item) for item in self.interventions.to_list())

    @property
    def in_order(self) -> bool:
        """Whether every block runs once, in its own place."""
        return not self.forwards

    def acting(self) -> AbstractContextManager[None]:
        """As `installed`; analyses within know that interventions act (see `LiveModel.under`)."""
        return self.model.under(self)

    @contextmanager
    def installed(
        self, token_ids: torch.Tensor | None = None, prompt: torch.Tensor | None = None
    ) -> Iterator[None]:
        """The model computes with them within.

        Args:
            token_ids: What runs, `[row, position]`, where the model is not given it but starts in
                the middle; None to see it.
            prompt: What positions count in, `[row, position]`, where the text goes on behind it.

        Raises:
            ResultError: The model has changed since this was worked out.
            RequestError: Contexts on one model were not left in order, the inner one first. All of
                them are off by then.
        """
        self.check(self.model)
        bridge = self.model.bridge
        with _last_in_first_out(bridge) as stack:
            self.clock.fixed = prompt
            stack.callback(setattr, self.clock, "fixed", None)
            if token_ids is None:
                see = bridge.original_model.register_forward_pre_hook
                stack.callback(see(self.clock.see, with_kwargs=True).remove)
            else:
                self.clock.begin(token_ids)
            stack.enter_context(bridge.hooks(fwd_hooks=list(self.hooks)))
            stack.enter_context(forwards_replaced(self.forwards))
            yield


def plan(model: Any, interventions: Interventions, transcoders: Transcoders | None = None) -> Plan:
    """Work out what interventions come to on a model.

    Prompts that they name are run, in the model as it is.

    Args:
        model: A `TransformerBridge` or `LiveModel`.
        interventions: Those that are on count.
        transcoders: Whose features are clamped.

    Raises:
        HeadscopeError: The model lacks something that is named, or a prompt cannot run.
    """
    found: list[Plan] = []

    def work() -> Iterator[None]:
        found.append((yield from planning(LiveModel.of(model), interventions, transcoders)))

    for _ in work():
        pass
    return found[0]


def planning(
    live: LiveModel, interventions: Interventions, transcoders: Transcoders | None = None
) -> Generator[None, None, Plan]:
    """As `plan`, in steps of one prompt each.

    Raises:
        HeadscopeError: See `plan`; or the model changed between two steps.
    """
    live.ready()
    state, build = live.state(), Building(live, transcoders)
    for item in interventions.active:
        for _ in _BUILDERS[type(item)](build, item) or ():
            yield
            live.still(state, "the interventions were begun")
    known = live.bridge.hook_dict
    missing = [name for name, _ in build.hooks if name not in known]
    if missing:
        raise ModelError(
            f"{live.name} has no {missing[0]}.", "Intervene on something that it computes."
        )
    own = [[layer] for layer in range(live.n_layers)]
    forwards = {}
    if build.slots != own:
        tuples = record(live.bridge, [[live.bos_id or 0]]).tuples
        forwards = layers.forwards(live.bridge, build.slots, tuples=tuples)
    # A cache counts its tokens in the first layer, and holds one set for each block.
    runs = [layer for slot in build.slots for layer in slot]
    build.clock.can_cache = 0 in runs and len(runs) == len(set(runs))
    made = Plan(
        live,
        build.hooks,
        forwards,
        build.lowest,
        build.clock,
        state,
        interventions.active,
        transcoders,
        left_out=frozenset(range(live.n_layers)) - frozenset(runs),
        places=tuple(slot[-1] if slot else place for place, slot in enumerate(build.slots)),
    )
    _HELD.setdefault(live, WeakSet()).add(made)
    return made


def held(
    live: LiveModel, interventions: Interventions, transcoders: Transcoders | None = None
) -> Plan | None:
    """What somebody has worked out for the same, with its runs; None if nobody has."""
    state = live.state()
    for found in _HELD.get(live, ()):
        same = found.transcoders is transcoders and found.interventions == interventions.active
        if same and found.state == state:
            return found
    return None


@contextmanager
def applied(
    model: Any, interventions: Interventions, transcoders: Transcoders | None = None
) -> Iterator[None]:
    """See `Interventions.applied`."""
    with plan(model, interventions, transcoders).installed():
        yield


@contextmanager
def _last_in_first_out(bridge: Any) -> Iterator[ExitStack]:
    """What is to be undone on a bridge. Contexts that cross would put back each other's changes."""
    stacks = _OPEN.setdefault(bridge, [])
    own = ExitStack()
    stacks.append(own)
    try:
        yield own
    finally:
        crossed = own not in stacks or stacks[-1] is not own
        while own in stacks:
            stacks.pop().close()
        if crossed:
            raise RequestError(
                "Interventions on one model were not taken off in order; all of them are off now.",
                "Leave the inner `with` first, and do not await within one.",
            )
