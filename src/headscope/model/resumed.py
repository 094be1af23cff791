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

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

import torch

from headscope.model.direct import DirectBlock, KeysValues, Write, direct_blocks
from headscope.model.direct_runs import TOLERANCE as DIRECT_TOLERANCE
from headscope.model.direct_runs import agrees, enters, trust, trusted_blocks, way_of_running
from headscope.model.ragged import Ragged
from headscope.model.recorded import (
    Patch,
    RecordedRuns,
    edit_hooks,
    forwards_replaced,
    leaving_no_trace,
    noise_hooks,
    replaceable,
    unread_hooks,
)
from headscope.model.runs import is_hooked, last_block
from headscope.model.sites import SITES, PatchSite, hook_name

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far runs of the same computation may differ, relative to the largest value."""
_LONG_ENOUGH_TO_TELL = 4
"""Tokens of a run on which every shortcut has something to leave out."""
_KNOWN: WeakKeyDictionary[Any, dict[tuple[Any, ...], tuple[int, Shortcuts]]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class PatchedRun:
    """One patched run, still to be computed.

    Args:
        base: Index of the recorded run it starts from.
        patches: What is replaced.
    """

    base: int
    patches: tuple[Patch, ...]

    @cached_property
    def layer(self) -> int:
        """The first block that has to run."""
        # What comes out of a block is what goes into the next.
        return min(p.layer + (p.site == "resid_post") for p in self.patches)

    @cached_property
    def position(self) -> int:
        """The first position that can change."""
        return min(p.positions[0] for p in self.patches)


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
        self.direct: list[DirectBlock] | None = None
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
        offset = min(map(self._offset, runs))
        joined, layer = 0, runs[0].layer
        hidden = self._start(runs[:0], 0, offset)
        while layer < self.n_layers:
            stop = min((p for p in pauses if layer < p < self.n_layers), default=self.n_layers)
            with torch.no_grad():
                if self.direct is None:
                    hidden = self._advance(runs, joined, hidden, layer, stop, offset)
                else:
                    hidden = self._through(self.direct, runs, joined, hidden, layer, stop)
            joined, layer = joined_by(runs, stop - 1), stop
            if stop < self.n_layers:
                yield
        with torch.no_grad():
            late = self._start(runs[joined:], self.n_layers, offset)
            late = late[:, [position - offset for position in self.read]]
            return torch.cat([hidden, late]) if joined else late

    def _offset(self, run: PatchedRun) -> int:
        """The first position at which a run is computed."""
        return min(run.position, self.read[0]) if self.shortcuts.prefix else 0

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

    def _through(
        self,
        blocks: Sequence[DirectBlock],
        runs: Sequence[PatchedRun],
        joined: int,
        hidden: torch.Tensor,
        first: int,
        stop: int,
    ) -> torch.Tensor:
        """As `_advance`, through direct blocks; within it is `[token, d_model]`."""
        present, length = joined, self.recorded.length
        rows = Ragged((), length)
        for layer in range(first, stop):
            count = joined_by(runs, layer)
            rows = Ragged(tuple(map(self._offset, runs[:count])), length)
            new = Ragged(rows.offsets[present:], length)
            entering = new.gather(self._start(runs[present:count], layer, new.offset))
            hidden = torch.cat([hidden, entering]) if present else entering
            behind = self._behind_attention(runs[present:count], layer)
            present = count
            write = self._writing(runs[:count], layer, rows)
            if write:
                write("resid_pre", hidden)
            early = rows.first(count - behind)
            before = (
                self._keys_values(runs[: count - behind], layer) if any(early.offsets) else None
            )
            attending, places = self._distinct(runs[: count - behind], layer, hidden, early)
            z, _ = blocks[layer].attend(attending, write, rows=early, places=places, before=before)
            if behind:
                late = Ragged(rows.offsets[count - behind :], length)
                bases = [run.base for run in runs[count - behind : count]]
                recorded = self.recorded.activations["z", layer][bases, late.offset :]
                z = torch.cat([z, late.gather(recorded)])
            ends = layer == self.n_layers - 1 and self.narrow(runs)
            read = rows.places(self.read) if ends else None
            hidden = blocks[layer].put_out(hidden, z, write, read=read)
        if stop < self.n_layers:
            return hidden
        hidden = hidden if self.narrow(runs) else hidden[rows.places(self.read)]
        return hidden.view(len(rows.offsets), len(self.read), -1)

    def _distinct(
        self, runs: Sequence[PatchedRun], layer: int, hidden: torch.Tensor, rows: Ragged
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The streams before `layer` with each different one once, and where each token's is.

        A run that begins here has what was recorded, but at the positions that it patches.
        """
        here, old = rows.starts[-1], rows.starts[joined_by(runs, layer - 1)]
        new = runs[joined_by(runs, layer - 1) :]
        if len(new) < 2 or self.recorded.edits:
            return hidden[:here], None
        first, length = min(map(self._offset, new)), rows.length
        bases = sorted({run.base for run in new})
        common = self.recorded.streams[bases, layer, first:].flatten(0, 1)
        own: list[int] = []
        places = [*range(old)]
        for run in new:
            shift = old + bases.index(run.base) * (length - first) - first
            patched = {
                p for patch in run.patches if self._entered(patch) == layer for p in patch.positions
            }
            for position in range(self._offset(run), length):
                if position in patched:
                    own.append(len(places))
                    places.append(old + len(common) + len(own) - 1)
                else:
                    places.append(shift + position)
        distinct = torch.cat([hidden[:old], common, hidden[own]])
        return distinct, torch.tensor(places, device=hidden.device)

    def _behind_attention(self, runs: Sequence[PatchedRun], layer: int) -> int:
        """How many of the runs that join at `layer`, the last ones, its attention does not change.

        Their heads put out what was recorded.
        """
        if ("z", layer) not in self.recorded.activations or self.recorded.edits:
            return 0
        late = (
            all(
                p.layer > layer or (p.layer == layer and SITES[p.site].after_attention)
                for p in run.patches
            )
            for run in reversed(runs)
        )
        return sum(1 for _ in takewhile(bool, late))

    def _writing(self, runs: Sequence[PatchedRun], layer: int, rows: Ragged) -> Write | None:
        """What is replaced within a block: in all runs, then in each."""
        edits = [edit for edit in self.recorded.edits if edit.layer == layer]
        wanted: dict[PatchSite, list[tuple[int, Patch]]] = {}
        for index, run in enumerate(runs):
            for patch in run.patches:
                if patch.layer == layer and self._entered(patch) != run.layer:
                    wanted.setdefault(patch.site, []).append((index, patch))
        if not edits and not wanted:
            return None

        def change(patch: Patch, activation: torch.Tensor, run: int) -> None:
            if patch.site == "pattern":
                patch.apply(activation[run], rows.offset)
            else:
                patch.apply(rows.run(activation, run), rows.offsets[run])

        def write(site: PatchSite, activation: torch.Tensor) -> None:
            for edit in edits:
                if edit.site == site:
                    for run in range(len(runs)):
                        change(edit, activation, run)
            for run, patch in wanted.get(site, ()):
                change(patch, activation, run)

        return write

    def _keys_values(self, runs: Sequence[PatchedRun], layer: int) -> KeysValues | None:
        """The recorded keys and values of the runs' bases; of one, if they have the same."""
        if self.recorded.keys_values is None or not any(map(self._offset, runs)):
            return None
        keys, values = self.recorded.keys_values[layer]
        bases = [run.base for run in runs]
        chosen = bases[:1] if len(set(bases)) == 1 else bases
        return keys[chosen], values[chosen]

    def _directly(self, way: tuple[Any, ...]) -> list[DirectBlock] | None:
        """Direct blocks, if they give what the model's own code gives."""
        known = trusted_blocks(self.bridge, self.recorded.length, way)
        if known is not None:
            edited = {edit.layer for edit in self.recorded.edits}
            plain = next((n for n in range(self.n_layers) if n not in edited), None)
            tried = plain is not None and agrees(known, self.recorded, [plain])
            return known if tried else None
        blocks = direct_blocks(self.bridge, self.recorded.length)
        if blocks is None or not agrees(blocks, self.recorded, range(self.n_layers)):
            return None
        runs = self._probes(blocks[0])
        wanted = drain(self.streams(runs))
        self.direct = blocks
        found, self.direct = drain(self.streams(runs)), None
        if not (found - wanted).abs().max() <= DIRECT_TOLERANCE[wanted.dtype] * wanted.abs().max():
            return None
        if self.recorded.length >= _LONG_ENOUGH_TO_TELL and enters(self.bridge, self.recorded):
            trust(self.bridge, way, self.recorded)
        return blocks

    def _probes(self, block: DirectBlock) -> list[PatchedRun]:
        """Runs that patch every site that the model has, in a block before the last."""
        layer, position = max(self.n_layers - 2, 0), self.recorded.length // 2
        d_model, width = block.q.weight.shape
        heads, kv_heads = width // block.d_head, block.k.weight.shape[1] // block.d_head
        shapes = {"q": (1, heads), "z": (1, heads), "k": (1, kv_heads), "v": (1, kv_heads)}
        runs = []
        for site, spec in SITES.items():
            if f"blocks.{layer}.{spec.hook}" not in self.bridge.hook_dict:
                continue
            if site == "pattern":
                shape: tuple[int, ...] = (heads, 1, self.recorded.length)
            elif site in shapes:
                shape = (*shapes[site], block.d_head)
            else:
                shape = (1, block.into.weight.shape[1] if site == "mlp_post" else d_model)
            value = torch.sin(torch.arange(1, 1 + math.prod(shape))).view(shape)
            value = value.to(self.recorded.streams)
            # Large ones too: what is clipped beyond a size shows only there.
            values = [value.softmax(-1)] if site == "pattern" else [value, 100 * value]
            runs += [PatchedRun(0, (Patch(site, layer, (position,), v),)) for v in values]
        return sorted(runs, key=lambda run: run.layer)

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
            return torch.cat([before, self._start(new, layer, offset)]) if new else before

        return hook_name(self.bridge, "resid_pre", layer), enter

    def _start(self, runs: Sequence[PatchedRun], layer: int, offset: int) -> torch.Tensor:
        """The recorded stream before `layer` for each run, with what is patched just there."""
        bases = [run.base for run in runs]
        stream = self.recorded.streams[bases, layer, offset:]
        for row, run in zip(stream, runs, strict=True):
            for patch in run.patches:
                if self._entered(patch) == layer:
                    patch.apply(row, offset)
        return stream

    def _entered(self, patch: Patch) -> int | None:
        """The block before which a run that starts there has the patch; None if within a block."""
        edits = self.recorded.edits
        if patch.site == "resid_pre" and any(
            (e.site, e.layer) == (patch.site, patch.layer) for e in edits
        ):
            return None  # the edit is made in the block, and the patch has to come after it
        return {"resid_pre": patch.layer, "resid_post": patch.layer + 1}.get(patch.site)

    def _patch_hooks(
        self, runs: Sequence[PatchedRun], first: int, stop: int, offset: int
    ) -> list[tuple[str, Any]]:
        hooks = edit_hooks(
            self.bridge, [e for e in self.recorded.edits if first <= e.layer < stop], offset
        )
        by_hook: dict[str, list[tuple[int, Patch]]] = {}
        for index, run in enumerate(runs):
            for patch in run.patches:
                started = self.shortcuts.layers and self._entered(patch) == run.layer
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

    def narrow(self, runs: Sequence[PatchedRun]) -> bool:
        """Whether the last block may leave out unread positions: nothing is patched behind that."""
        places = [p for run in runs for p in run.patches] + list(self.recorded.edits)
        return self.shortcuts.unread and not any(
            p.layer == self.n_layers - 1 and p.site != "z" and SITES[p.site].after_attention
            for p in places
        )

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


def attention_scores(
    bridge: Any, recorded: RecordedRuns, layer: int, patches: Sequence[Patch] = ()
) -> torch.Tensor:
    """A block's attention scores `[run, head, dest, src]`, masked, with `patches[i]` in run i.

    Args:
        bridge: The model.
        recorded: The runs.
        layer: The block.
        patches: Queries or keys to put in, all at one site; none for the runs as they were.
    """
    found: list[torch.Tensor] = []

    def write(activation: torch.Tensor, hook: Any) -> torch.Tensor:
        activation = activation.clone()
        for row, patch in zip(activation, patches, strict=True):
            patch.apply(row)
        return activation

    def keep(activation: torch.Tensor, hook: Any) -> None:
        found.append(activation.detach().float())

    # Whatever has acted on the recorded stream would act again on a run that starts from it.
    whole = is_hooked(bridge)
    first = 0 if whole else layer
    hooks = noise_hooks(bridge, recorded.noise if whole else None)
    hooks += edit_hooks(bridge, [edit for edit in recorded.edits if first <= edit.layer <= layer])
    hooks.append((f"blocks.{layer}.attn.hook_attn_scores", keep))
    if patches:
        hooks.append((hook_name(bridge, patches[0].site, layer), write))
    part = {"start_at_layer": layer}
    if layer + 1 < int(bridge.cfg.n_layers):
        part["stop_at_layer"] = layer + 1
    with torch.no_grad(), passing_over(bridge, first, recorded), leaving_no_trace(bridge):
        bridge.run_with_hooks(
            recorded.token_ids if whole else recorded.streams[:, layer],
            fwd_hooks=hooks,
            **({} if whole else part),
        )
    return found[0]


def drain(steps: Generator[None, None, torch.Tensor]) -> torch.Tensor:
    """Run a generator to its end."""
    found: list[torch.Tensor] = []

    def outer() -> Generator[None, None, None]:
        found.append((yield from steps))

    for _ in outer():
        pass
    return found[0]


def joined_by(runs: Sequence[PatchedRun], layer: int) -> int:
    """How many of the runs, ordered by first block, are in the batch inside block `layer`."""
    return sum(run.layer <= layer for run in runs)


@contextmanager
def passing_over(bridge: Any, upto: int, recorded: RecordedRuns) -> Iterator[None]:
    """Blocks below `upto` hand on what they are given, and tanh-GELU is computed in one pass.

    transformers writes that activation as eight passes over memory, a sixth of a block's time.
    """

    def hand_on(hidden: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return (hidden,) if recorded.tuples else hidden

    replaced: dict[Any, Any] = dict.fromkeys(bridge.blocks[:upto], hand_on)
    replaced |= dict.fromkeys(_written_out_gelus(bridge.blocks[upto:]), _fused_gelu)
    with forwards_replaced(replaced):
        yield


def _fused_gelu(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.gelu(x, approximate="tanh")


def _written_out_gelus(blocks: torch.nn.ModuleList) -> list[torch.nn.Module]:
    from transformers.activations import NewGELUActivation

    return [
        module
        for module in blocks.modules()
        if type(module) is NewGELUActivation and "forward" not in module.__dict__
    ]
