"""Runs in which the outputs of some components are replaced and those of the others are held.

All attention heads keep the output that they had in the recorded run, and so do the MLPs unless
they are let go. What then arrives at a head or an MLP has come from the replaced outputs along the
residual stream, or through MLPs that were let go: by no other head.

With all heads held no position learns of another one. So only the positions at which something is
replaced are computed. And where MLPs are held too, blocks pass a change of the stream on as it is
(tried once on a recorded run, since some architectures scale or normalise their stream): only the
blocks that send or receive are computed.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from headscope.components import Layout
from headscope.model.passing_over import passing_over
from headscope.model.patched_runs import PatchedRun, joined_by
from headscope.model.recorded import Patch, Place, RecordedRuns, leaving_no_trace
from headscope.model.resumed import TOLERANCE, Shortcuts
from headscope.model.sites import PatchSite, hook_name


@dataclass(frozen=True)
class Received:
    """What arrived.

    Args:
        positions: Those that were computed, ascending.
        values: By place: the activation `[run, position, ...]` of the runs that had begun by then.
    """

    positions: tuple[int, ...]
    values: dict[Place, torch.Tensor]

    def patch(self, run: int, sent: PatchedRun, place: Place, unit: int | None) -> Patch:
        """What arrived at `place` in a run, at the positions at which something was sent."""
        where = positions_of([sent])
        rows = [self.positions.index(position) for position in where]
        value = self.values[place][run, rows]
        return Patch(*place, where, value if unit is None else value[:, unit], unit)


class HeldRuns:
    """Starts runs with held components from recorded ones.

    Args:
        bridge: The model.
        layout: Its components.
        recorded: Runs of equally long prompts, with the activations of `outputs(layout)`.
        hold_mlps: Whether MLPs are held too.
        shortcuts: What can be left out on this model. If it cannot be started in the middle, every
            run is computed from its tokens up.
    """

    def __init__(
        self,
        bridge: Any,
        layout: Layout,
        recorded: RecordedRuns,
        *,
        hold_mlps: bool,
        shortcuts: Shortcuts,
    ) -> None:
        self._bridge = bridge
        self._recorded = recorded
        self._n_layers = layout.n_layers
        self._held = {
            place: recorded.activations[place]
            for place in outputs(layout)
            if hold_mlps or place[0] == "z"
        }
        self._shortcuts = shortcuts
        everything = hold_mlps or not layout.mlps
        self._passes_on = shortcuts.layers and everything and self._tried()

    def receive(
        self, runs: Sequence[PatchedRun], places: Collection[Place]
    ) -> Generator[float, None, Received]:
        """Run with outputs replaced; yields the share done after each block.

        Args:
            runs: Ordered by first block; what is replaced are outputs of heads (`z`) and MLPs
                (`mlp_out`) and the first block's input (`resid_pre`).
            places: Where to look: `q`, `k`, `v` or `mlp_out` (computed from what arrives there,
                before it is held), or `resid_post` of the last block.
        """
        if not self._shortcuts.layers:
            everywhere = tuple(range(self._recorded.length))
            return Received(everywhere, self._whole(runs, places))
        positions = positions_of(runs)
        runs = [_moved(run, positions) for run in runs]
        values: dict[Place, torch.Tensor] = {}
        final: Place = ("resid_post", self._n_layers - 1)
        top = max(layer for _, layer in places)
        hidden = self._base(runs[:0], 0, positions)
        first = runs[0].layer
        for layer in range(first, top + 1):
            wanted = [place for place in places if place[1] == layer and place != final]
            present = runs[: joined_by(runs, layer)]
            with torch.no_grad():
                new = self._base(present[len(hidden) :], layer, positions)
                hidden = torch.cat([hidden, new])
                hidden = self._through(present, hidden, layer, wanted, positions, values)
            yield (layer + 1 - first) / (top + 1 - first)
        if final in places:
            values[final] = hidden
        return Received(positions, values)

    def _through(
        self,
        runs: Sequence[PatchedRun],
        hidden: torch.Tensor,
        layer: int,
        wanted: Sequence[Place],
        positions: Sequence[int],
        values: dict[Place, torch.Tensor],
    ) -> torch.Tensor:
        """Take the stream of `runs` from the input of a block to that of the next."""
        if not self._passes_on or wanted:
            out, found = self._block(runs, hidden, layer, wanted, positions)
            values |= found
            return out
        before, after = (self._base(runs, i, positions) for i in (layer, layer + 1))
        moved = hidden + (after - before)
        senders = [i for i, run in enumerate(runs) if any(p.layer == layer for p in run.patches)]
        if senders:
            chosen = [runs[i] for i in senders]
            moved[senders], _ = self._block(chosen, hidden[senders], layer, (), positions)
        return moved

    def _block(
        self,
        runs: Sequence[PatchedRun],
        hidden: torch.Tensor,
        layer: int,
        wanted: Sequence[Place],
        positions: Sequence[int],
    ) -> tuple[torch.Tensor, dict[Place, torch.Tensor]]:
        """One block of held runs: what comes out of it, and what was found at `wanted`."""
        found: dict[Place, torch.Tensor] = {}
        out: list[torch.Tensor] = []
        last = layer == self._n_layers - 1
        hooks: list[tuple[str, Any]] = [
            (hook_name(self._bridge, "resid_pre", layer), lambda x, hook: hidden)
        ]
        hooks += self._hooks(runs, [layer], wanted, positions, found)
        hooks.append((hook_name(self._bridge, "resid_post", layer), lambda x, hook: out.append(x)))
        if last:
            hooks.append(("unembed.hook_in", lambda stream, hook: stream[:, :0]))
        with passing_over(self._bridge, layer, self._recorded), leaving_no_trace(self._bridge):
            self._bridge.run_with_hooks(
                hidden,
                start_at_layer=layer,
                fwd_hooks=hooks,
                **({} if last else {"stop_at_layer": layer + 1}),
            )
        return out[0], found

    def _whole(
        self, runs: Sequence[PatchedRun], places: Collection[Place]
    ) -> dict[Place, torch.Tensor]:
        """The runs from their tokens up: for models that cannot be started in the middle."""
        found: dict[Place, torch.Tensor] = {}
        positions = range(self._recorded.length)
        hooks = self._hooks(runs, range(self._n_layers), places, positions, found)
        ids = self._recorded.token_ids[[run.base for run in runs]]
        with torch.no_grad(), leaving_no_trace(self._bridge):
            self._bridge.run_with_hooks(ids, fwd_hooks=hooks)
        return found

    def _hooks(
        self,
        runs: Sequence[PatchedRun],
        layers: Sequence[int],
        wanted: Collection[Place],
        positions: Sequence[int],
        found: dict[Place, torch.Tensor],
    ) -> list[tuple[str, Any]]:
        """Hooks that look at what is wanted, hold what is held and replace what is replaced."""
        sent: dict[Place, list[tuple[int, Patch]]] = {}
        for row, run in enumerate(runs):
            for patch in run.patches:
                sent.setdefault((patch.site, patch.layer), []).append((row, patch))
        bases = torch.tensor([run.base for run in runs])[:, None]
        where = torch.tensor(list(positions))

        def act(place: Place) -> Any:
            def look_hold_replace(activation: torch.Tensor, hook: Any) -> torch.Tensor:
                if place in wanted:
                    found[place] = activation.clone()
                held = self._held.get(place)
                activation = activation.clone() if held is None else held[bases, where]
                for row, patch in sent.get(place, ()):
                    patch.apply(activation[row])
                return activation

            return look_hold_replace

        places = [place for place in {*self._held, *sent, *wanted} if place[1] in layers]
        hooks = [(hook_name(self._bridge, *place), act(place)) for place in places]
        if self._shortcuts.unread:  # what a held MLP would put out is computed for one token only
            hooks += [
                (f"blocks.{layer}.mlp.hook_in", lambda x, hook: x[:1, :1])
                for layer in layers
                if ("mlp_out", layer) in self._held and ("mlp_out", layer) not in wanted
            ]
        return hooks

    def _base(
        self, runs: Sequence[PatchedRun], layer: int, positions: Sequence[int]
    ) -> torch.Tensor:
        """The recorded stream before a block, for each run."""
        bases = torch.tensor([run.base for run in runs], dtype=torch.long)[:, None]
        return self._recorded.streams[bases, layer, torch.tensor(list(positions))]

    def _tried(self) -> bool:
        """Whether a change of the stream comes out of held blocks as it went in."""
        streams, where = self._recorded.streams[:1], [self._recorded.length - 1]
        run = PatchedRun(0, ())
        change = streams[:, -1, where] - streams[:, 0, where]
        hidden = streams[:, 0, where] + change
        with torch.no_grad():
            for layer in range(self._n_layers):
                hidden, _ = self._block([run], hidden, layer, (), where)
        sent, arrived = (t.cpu().double() for t in (change, hidden - streams[:, -1, where]))
        tolerance = TOLERANCE[streams.dtype]
        error = (arrived - sent).abs().max() / sent.abs().max()
        scale = (arrived * sent).sum() / (sent * sent).sum()  # in it most of the rounding cancels
        return bool(error <= tolerance) and abs(float(scale) - 1) <= tolerance / 10


def outputs(layout: Layout) -> list[Place]:
    """Where every layer's heads and its MLP put out what they do."""
    sites: tuple[PatchSite, ...] = ("z", "mlp_out") if layout.mlps else ("z",)
    return [(site, layer) for site in sites for layer in range(layout.n_layers)]


def positions_of(runs: Sequence[PatchedRun]) -> tuple[int, ...]:
    """Where anything is replaced in any of the runs, ascending."""
    return tuple(sorted({p for run in runs for patch in run.patches for p in patch.positions}))


def _moved(run: PatchedRun, positions: Sequence[int]) -> PatchedRun:
    """The run as it is where only `positions` are computed."""
    index = {position: i for i, position in enumerate(positions)}
    patches = (replace(p, positions=tuple(index[q] for q in p.positions)) for p in run.patches)
    return PatchedRun(run.base, tuple(patches))
