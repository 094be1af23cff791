"""Patched runs through direct blocks: side by side without padding, each token once.

Runs that join the batch at a block have what was recorded there but at the positions that they
patch, so that queries, keys and values of what they have in common are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch

from headscope.model.direct import DirectBlock, KeysValues, Write
from headscope.model.patched_runs import Beginnings, PatchedRun, joined_by
from headscope.model.ragged import Ragged
from headscope.model.recorded import Patch, RecordedRuns
from headscope.model.sites import SITES, PatchSite


class DirectPassage:
    """Takes a batch of runs up through direct blocks.

    Args:
        blocks: The model's.
        begin: Where the runs begin.
    """

    def __init__(self, blocks: Sequence[DirectBlock], begin: Beginnings) -> None:
        self.blocks = blocks
        self._begin = begin
        self._recorded = begin.recorded

    def advance(
        self,
        runs: Sequence[PatchedRun],
        joined: int,
        hidden: torch.Tensor,
        first: int,
        stop: int,
    ) -> torch.Tensor:
        """Take the batch from the input of block `first` to that of `stop`, or to what is read.

        Args:
            runs: Ordered by first block.
            joined: How many of them are in the batch by now.
            hidden: Their streams, `[token, d_model]`.
            first: The next block.
            stop: The first block that is not run.

        Returns:
            Streams `[token, d_model]`; behind the last block `[run, read, d_model]`.
        """
        present, length = joined, self._recorded.length
        rows = Ragged((), length)
        for layer in range(first, stop):
            count = joined_by(runs, layer)
            rows = Ragged(tuple(map(self._begin.offset, runs[:count])), length)
            new = Ragged(rows.offsets[present:], length)
            entering = new.gather(self._begin.streams(runs[present:count], layer, new.offset))
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
            z, _ = self.blocks[layer].attend(
                attending, write, rows=early, places=places, before=before
            )
            if behind:
                late = Ragged(rows.offsets[count - behind :], length)
                bases = [run.base for run in runs[count - behind : count]]
                recorded = self._recorded.activations["z", layer][bases, late.offset :]
                z = torch.cat([z, late.gather(recorded)])
            ends = layer == len(self.blocks) - 1 and self._begin.narrow(runs)
            read = rows.places(self._begin.read) if ends else None
            hidden = self.blocks[layer].put_out(hidden, z, write, read=read)
        if stop < len(self.blocks):
            return hidden
        hidden = hidden if self._begin.narrow(runs) else hidden[rows.places(self._begin.read)]
        return hidden.view(len(rows.offsets), len(self._begin.read), -1)

    def _distinct(
        self, runs: Sequence[PatchedRun], layer: int, hidden: torch.Tensor, rows: Ragged
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The streams before `layer` with each different one once, and where each token's is.

        A run that begins here has what was recorded, but at the positions that it patches.
        """
        here, old = rows.starts[-1], rows.starts[joined_by(runs, layer - 1)]
        new = runs[joined_by(runs, layer - 1) :]
        if len(new) < 2 or self._recorded.edits:
            return hidden[:here], None
        first, length = min(map(self._begin.offset, new)), rows.length
        bases = sorted({run.base for run in new})
        common = self._recorded.streams[bases, layer, first:].flatten(0, 1)
        own: list[int] = []
        places = [*range(old)]
        for run in new:
            shift = old + bases.index(run.base) * (length - first) - first
            patched = {
                p
                for patch in run.patches
                if self._begin.entered(patch) == layer
                for p in patch.positions
            }
            for position in range(self._begin.offset(run), length):
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
        if ("z", layer) not in self._recorded.activations or self._recorded.edits:
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
        edits = [edit for edit in self._recorded.edits if edit.layer == layer]
        wanted: dict[PatchSite, list[tuple[int, Patch]]] = {}
        for index, run in enumerate(runs):
            for patch in run.patches:
                if patch.layer == layer and self._begin.entered(patch) != run.layer:
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
        if self._recorded.keys_values is None or not any(map(self._begin.offset, runs)):
            return None
        keys, values = self._recorded.keys_values[layer]
        bases = [run.base for run in runs]
        chosen = bases[:1] if len(set(bases)) == 1 else bases
        return keys[chosen], values[chosen]


def probes(bridge: Any, recorded: RecordedRuns, block: DirectBlock) -> list[PatchedRun]:
    """Runs that patch every site that the model has, in a block before the last."""
    layer, position = max(int(bridge.cfg.n_layers) - 2, 0), recorded.length // 2
    d_model, width = block.q.weight.shape
    heads, kv_heads = width // block.d_head, block.k.weight.shape[1] // block.d_head
    shapes = {"q": (1, heads), "z": (1, heads), "k": (1, kv_heads), "v": (1, kv_heads)}
    runs = []
    for site, spec in SITES.items():
        if f"blocks.{layer}.{spec.hook}" not in bridge.hook_dict:
            continue
        if site == "pattern":
            shape: tuple[int, ...] = (heads, 1, recorded.length)
        elif site in shapes:
            shape = (*shapes[site], block.d_head)
        else:
            shape = (1, block.into.weight.shape[1] if site == "mlp_post" else d_model)
        value = torch.sin(torch.arange(1, 1 + math.prod(shape))).view(shape)
        value = value.to(recorded.streams)
        # Large ones too: what is clipped beyond a size shows only there.
        values = [value.softmax(-1)] if site == "pattern" else [value, 100 * value]
        runs += [PatchedRun(0, (Patch(site, layer, (position,), v),)) for v in values]
    return sorted(runs, key=lambda run: run.layer)
