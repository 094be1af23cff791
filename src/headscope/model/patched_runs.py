"""Runs in which something is replaced, and where in a recorded run each of them begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from headscope.model.recorded import Patch, RecordedRuns
from headscope.model.sites import SITES


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


def joined_by(runs: Sequence[PatchedRun], layer: int) -> int:
    """How many of the runs, ordered by first block, are in the batch inside block `layer`."""
    return sum(run.layer <= layer for run in runs)


@dataclass(frozen=True, eq=False)
class Beginnings:
    """Where runs that start from recorded ones begin, and with what.

    Args:
        recorded: Runs of equally long prompts.
        read: Positions, ascending, whose final stream is wanted.
        prefix: Positions before the first patched one are left out.
    """

    recorded: RecordedRuns
    read: tuple[int, ...]
    prefix: bool

    def offset(self, run: PatchedRun) -> int:
        """The first position at which a run is computed."""
        return min(run.position, self.read[0]) if self.prefix else 0

    def streams(self, runs: Sequence[PatchedRun], layer: int, offset: int) -> torch.Tensor:
        """The recorded stream before `layer` for each run, with what is patched just there."""
        bases = [run.base for run in runs]
        stream = self.recorded.streams[bases, layer, offset:]
        for row, run in zip(stream, runs, strict=True):
            for patch in run.patches:
                if self.entered(patch) == layer:
                    patch.apply(row, offset)
        return stream

    def entered(self, patch: Patch) -> int | None:
        """The block before which a run that starts there has the patch; None if within a block."""
        edits = self.recorded.edits
        if patch.site == "resid_pre" and any(
            (e.site, e.layer) == (patch.site, patch.layer) for e in edits
        ):
            return None  # the edit is made in the block, and the patch has to come after it
        return {"resid_pre": patch.layer, "resid_post": patch.layer + 1}.get(patch.site)

    def narrow(self, runs: Sequence[PatchedRun]) -> bool:
        """Whether nothing is patched behind the last block's attention."""
        last = self.recorded.streams.shape[1] - 2
        places = [p for run in runs for p in run.patches] + list(self.recorded.edits)
        return not any(
            p.layer == last and p.site != "z" and SITES[p.site].after_attention for p in places
        )
