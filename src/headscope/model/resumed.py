"""Patched runs that compute only what the patch can change.

A run in which something is replaced in block l at position p equals the unpatched run below block l
and before position p. So many such runs go up through the blocks as one batch: a row joins the
batch at its first patched block, with the recorded residual stream; blocks below are passed over;
earlier positions take part through their recorded keys and values. In the last block everything
behind the attention is computed only at the positions that are read. Exact, but for the order in
which float sums are taken.

Sources: the idea of resuming and of caching the prefix is common property; the bridge's mechanics
(`start_at_layer`, cache objects) are TransformerLens's and transformers'.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch

from headscope.model.direct import direct_blocks
from headscope.model.direct_runs import TOLERANCE as DIRECT_TOLERANCE
from headscope.model.direct_runs import agrees, enters, trust, trusted_blocks, way_of_running
from headscope.model.passing_over import passing_over
from headscope.model.patched_runs import Beginnings, PatchedRun, joined_by
from headscope.model.recorded import (
    Patch,
    RecordedRuns,
    edit_hooks,
    leaving_no_trace,
    noise_hooks,
    replaceable,
    unread_hooks,
)
from headscope.model.resumed_direct import DirectPassage, probes
from headscope.model.runs import is_hooked, last_block
from headscope.model.sites import hook_name

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far runs of the same computation may differ, relative to the largest value."""
_LONG_ENOUGH_TO_TELL = 4
"""Tokens of a run on which every shortcut has something to leave out."""
_KNOWN: WeakKeyDictionary[Any, dict[tuple[Any, ...], tuple[int, Shortcuts]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Shortcuts:
    """What of the work can be left out on this model without changing a result.

    Args:
        layers: Blocks below the first patched one.
        prefix: Positions before the first patched one.
        unread: In the last block, positions that are not read.
    """

    layers: bool
    prefix: bool
    unread: bool


class Resumption:
    """Starts runs from the middle of recorded ones.

    Args:
        bridge: The model.
        recorded: Runs of equally long prompts.
        read: Positions, ascending, whose final stream is wanted.
    """

    def __init__(self, bridge: Any, recorded: RecordedRuns, read: Sequence[int]) -> None:
        self.bridge = bridge
        self.recorded = recorded
        self.read = tuple(read)
        self.n_layers = int(bridge.cfg.n_layers)
        self.direct: DirectPassage | None = None
        way = way_of_running(bridge)
        self.shortcuts = self._verified(way)
        everything = Shortcuts(layers=True, prefix=True, unread=True)
        if self.shortcuts == everything and way[-1] is not None:
            self.direct = self._directly(way)

    def streams(
        self, runs: Sequence[PatchedRun], pauses: Sequence[int] = ()
    ) -> Generator[None, None, torch.Tensor]:
        """Compute runs together.

        Args:
            runs: Ordered by first block. The batch starts at the earliest of their positions.
            pauses: Blocks before which the generator yields.

        Returns:
            The stream after the last block at the read positions, `[run, read, d_model]`.
        """
        if not self.shortcuts.layers:
            with torch.no_grad():
                return self._whole(runs)
        # Through direct blocks each run starts at its own position, else all at the earliest.
        offset = min(map(self._begin.offset, runs))
        joined, layer = 0, runs[0].layer
        hidden = self._begin.streams(runs[:0], 0, offset)
        while layer < self.n_layers:
            stop = min((p for p in pauses if layer < p < self.n_layers), default=self.n_layers)
            with torch.no_grad():
                if self.direct is None:
                    hidden = self._advance(runs, joined, hidden, layer, stop, offset)
                else:
                    hidden = self.direct.advance(runs, joined, hidden, layer, stop)
            joined, layer = joined_by(runs, stop - 1), stop
            if stop < self.n_layers:
                yield
        with torch.no_grad():
            late = self._begin.streams(runs[joined:], self.n_layers, offset)
            late = late[:, [position - offset for position in self.read]]
            return torch.cat([hidden, late]) if joined else late

    @property
    def _begin(self) -> Beginnings:
        return Beginnings(self.recorded, self.read, self.shortcuts.prefix)

    def narrow(self, runs: Sequence[PatchedRun]) -> bool:
        """Whether the last block leaves out positions that are not read."""
        return self.shortcuts.unread and self._begin.narrow(runs)

    def _advance(
        self,
        runs: Sequence[PatchedRun],
        joined: int,
        hidden: torch.Tensor,
        first: int,
        stop: int,
        offset: int,
    ) -> torch.Tensor:
        """Take the batch from the input of block `first` to that of `stop`, or to what is read."""
        hooks: list[tuple[str, Any]] = []
        counts: list[int] = []
        present = joined
        for layer in range(first, stop):
            count = joined_by(runs, layer)
            counts.append(count)
            hooks.append(self._entrance(runs, layer, present, count, offset, hidden, first))
            present = count
        hooks += self._patch_hooks(runs, first, stop, offset)
        final: list[torch.Tensor] = []
        ends = stop == self.n_layers
        if ends and self.narrow(runs):
            hooks += self._narrowing(offset)
        if ends:

            def keep(activation: torch.Tensor, hook: Any) -> None:
                final.append(activation)

            hooks.append((hook_name(self.bridge, "resid_post", self.n_layers - 1), keep))
            hooks.append(("unembed.hook_in", lambda stream, hook: stream[:, :0]))
        placeholder = self.recorded.streams[:1, 0, offset:]
        arguments: dict[str, Any] = {} if ends else {"stop_at_layer": stop}
        if offset:
            arguments["past_key_values"] = self._prefix(runs, first, counts, offset)
        with passing_over(self.bridge, first, self.recorded), leaving_no_trace(self.bridge):
            out = self.bridge.run_with_hooks(
                placeholder, start_at_layer=first, fwd_hooks=hooks, **arguments
            )
        if not ends:
            entered: torch.Tensor = out
            return entered
        read = [position - offset for position in self.read]
        return final[0][:, read]

    def _directly(self, way: tuple[Any, ...]) -> DirectPassage | None:
        """Direct blocks, if they give what the model's own code gives."""
        known = trusted_blocks(self.bridge, self.recorded.length, way)
        if known is not None:
            edited = {edit.layer for edit in self.recorded.edits}
            plain = next((n for n in range(self.n_layers) if n not in edited), None)
            tried = plain is not None and agrees(known, self.recorded, [plain])
            return DirectPassage(known, self._begin) if tried else None
        blocks = direct_blocks(self.bridge, self.recorded.length)
        if blocks is None or not agrees(blocks, self.recorded, range(self.n_layers)):
            return None
        runs = probes(self.bridge, self.recorded, blocks[0])
        wanted = drain(self.streams(runs))
        self.direct = passage = DirectPassage(blocks, self._begin)
        found, self.direct = drain(self.streams(runs)), None
        if not (found - wanted).abs().max() <= DIRECT_TOLERANCE[wanted.dtype] * wanted.abs().max():
            return None
        if self.recorded.length >= _LONG_ENOUGH_TO_TELL and enters(self.bridge, self.recorded):
            trust(self.bridge, way, self.recorded)
        return passage

    def _entrance(
        self,
        runs: Sequence[PatchedRun],
        layer: int,
        present: int,
        count: int,
        offset: int,
        hidden: torch.Tensor,
        first: int,
    ) -> tuple[str, Any]:
        """The hook by which runs join the batch at the input of `layer`."""
        new = runs[present:count]

        def enter(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            before = hidden if layer == first else activation
            return torch.cat([before, self._begin.streams(new, layer, offset)]) if new else before

        return hook_name(self.bridge, "resid_pre", layer), enter

    def _patch_hooks(
        self, runs: Sequence[PatchedRun], first: int, stop: int, offset: int
    ) -> list[tuple[str, Any]]:
        hooks = edit_hooks(
            self.bridge, [e for e in self.recorded.edits if first <= e.layer < stop], offset
        )
        by_hook: dict[str, list[tuple[int, Patch]]] = {}
        for index, run in enumerate(runs):
            for patch in run.patches:
                started = self.shortcuts.layers and self._begin.entered(patch) == run.layer
                if first <= patch.layer < stop and not started:
                    name = hook_name(self.bridge, patch.site, patch.layer)
                    by_hook.setdefault(name, []).append((index, patch))

        def write(wanted: Sequence[tuple[int, Patch]]) -> Any:
            def apply(activation: torch.Tensor, hook: Any) -> torch.Tensor:
                activation = replaceable(activation, wanted[0][1].site)
                for index, patch in wanted:
                    patch.apply(activation[index], offset)
                return activation

            return apply

        return hooks + [(name, write(wanted)) for name, wanted in by_hook.items()]

    def _prefix(
        self, runs: Sequence[PatchedRun], first: int, counts: Sequence[int], offset: int
    ) -> Any:
        """A cache of the recorded keys and values before `offset`, per block of its own batch."""
        from transformers import DynamicCache

        recorded = self.recorded.keys_values or []
        bases = [run.base for run in runs]
        same = len(set(bases)) == 1
        layers = []
        for layer, (keys, values) in enumerate(recorded):
            count = counts[layer - first] if 0 <= layer - first < len(counts) else 1
            if same:
                base = bases[0]
                pair = (
                    keys[base : base + 1, :, :offset].expand(count, -1, -1, -1),
                    values[base : base + 1, :, :offset].expand(count, -1, -1, -1),
                )
            else:
                pair = keys[bases[:count], :, :offset], values[bases[:count], :, :offset]
            layers.append(pair)
        return DynamicCache(layers)

    def _narrowing(self, offset: int) -> list[tuple[str, Any]]:
        read = [position - offset for position in self.read]

        def cut(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            return activation[:, read]

        def blank(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            # Back to full length, for the sum with the stream; unread positions hold nothing.
            full = activation.new_zeros(activation.shape[0], length, activation.shape[2])
            full[:, read] = activation
            return full

        length = self.recorded.length - offset
        last = self.n_layers - 1
        hooks = [
            (hook_name(self.bridge, "z", last), cut),
            (hook_name(self.bridge, "attn_out", last), blank),
        ]
        into = f"blocks.{last}.mlp.hook_in"
        if into in self.bridge.hook_dict:  # not where there is attention only
            hooks += [(into, cut), (hook_name(self.bridge, "mlp_out", last), blank)]
        return hooks

    def _whole(self, runs: Sequence[PatchedRun]) -> torch.Tensor:
        """The runs from their tokens up: for models that cannot start in the middle."""
        kept: list[torch.Tensor] = []
        bases = [run.base for run in runs]
        noise = self.recorded.noise
        hooks = noise_hooks(self.bridge, None if noise is None else noise[bases])
        hooks += self._patch_hooks(runs, 0, self.n_layers, 0)

        def keep(activation: torch.Tensor, hook: Any) -> None:
            kept.append(activation[:, list(self.read)].clone())

        hooks.append((hook_name(self.bridge, "resid_post", last_block(self.bridge)), keep))
        hooks += unread_hooks(self.bridge)
        with leaving_no_trace(self.bridge):
            self.bridge.run_with_hooks(self.recorded.token_ids[bases], fwd_hooks=hooks)
        return kept[0]

    def _verified(self, way: tuple[Any, ...]) -> Shortcuts:
        """What this model allows; tried once per model, way of running it, and greater length."""
        nothing = Shortcuts(layers=False, prefix=False, unread=False)
        devices = int(getattr(self.bridge.cfg, "n_devices", 1) or 1)
        altered = any("forward" in block.__dict__ for block in self.bridge.blocks)
        if devices > 1 or altered or is_hooked(self.bridge):
            return nothing
        known = _KNOWN.setdefault(self.bridge, {})
        key = (self.recorded.keys_values is not None, *map(str, way))
        length, found = known.get(key, (0, nothing))
        if self.recorded.length > length:  # a window, or rotations that depend on the length
            found = self._tried() or nothing
            if self.recorded.length >= _LONG_ENOUGH_TO_TELL:
                known[key] = self.recorded.length, found
        return found

    def _tried(self) -> Shortcuts | None:
        """The most that gives the recorded final stream again, starting from the middle of it.

        Two runs, since what a model lays out for the batch it is given (ALiBi) has to fit one that
        grows.
        """
        read = list(self.read)
        wanted = self.recorded.streams[[0, 0], -1][:, read].float()
        layer, position = self.n_layers // 2, self.recorded.length // 2
        value = self.recorded.streams[0, layer, position:]
        positions = tuple(range(position, self.recorded.length))
        run = PatchedRun(0, (Patch("resid_pre", layer, positions, value),))
        bound = TOLERANCE[self.recorded.streams.dtype] * float(wanted.abs().max())
        cached = self.recorded.keys_values is not None
        for unread in (True, False):
            for prefix in (cached, False):
                self.shortcuts = Shortcuts(layers=True, prefix=prefix, unread=unread)
                try:
                    stream = drain(self.streams([run, run]))
                except (RuntimeError, ValueError, TypeError, NotImplementedError, LookupError):
                    continue
                if stream.shape == wanted.shape and (stream - wanted).abs().max() <= bound:
                    return self.shortcuts
        return None


def drain(steps: Generator[None, None, torch.Tensor]) -> torch.Tensor:
    """Run a generator to its end."""
    found: list[torch.Tensor] = []

    def outer() -> Generator[None, None, None]:
        found.append((yield from steps))

    for _ in outer():
        pass
    return found[0]
