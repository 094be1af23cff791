"""The runs behind a path patching map, and what is known of its paths so far."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Union

from headscope.analyses.contrast import Contrast, Experiment
from headscope.analyses.experiments import DIRECTIONS, Direction, experiment
from headscope.analyses.intervened import moves_layers, refuse
from headscope.analyses.map_trials import NOT_APPLICABLE, MapTrials, paced
from headscope.analyses.metrics import MetricName
from headscope.analyses.path_map import PathMap, named, path_map
from headscope.analyses.prompt_pairs import Pair
from headscope.analyses.trials import CellKey, Group
from headscope.components import Component
from headscope.errors import RequestError
from headscope.jobs.steps import part
from headscope.model.live import LiveModel
from headscope.model.patched_runs import PatchedRun
from headscope.model.paths import HeldRuns, Received, outputs, positions_of
from headscope.model.recorded import Patch, Place, RecordedRuns
from headscope.results.alignment import UNMATCHED


@dataclass(frozen=True)
class PathPatchingRequest:
    """A path patching map.

    Args:
        pairs: One or more prompt pairs.
        receivers: Components for whom all senders are shown, such as "L9H6.q, L9H9.q"; by default
            the logits, unless there is a `sender`.
        sender: Components for which all receivers are shown.
        freeze_mlps: Whether MLPs are held between sender and receivers.
        positions: Where the sender's output is replaced, in the run patched into; negative ones
            count from its end. None for everywhere.
        direction: `denoising` or `noising`.
        metric: What runs are judged by.
        position: Where the metric is read; negative counts from the end.
        alignment: For a single pair: for each position of the run patched into, the other prompt's
            position that it meets, or -1; None to find it.
        seed: Of the bootstrap.
    """

    pairs: tuple[Pair, ...]
    receivers: str = ""
    sender: str = ""
    freeze_mlps: bool = True
    positions: Union[tuple[int, ...], None] = None
    direction: Direction = "denoising"
    metric: MetricName = "logit_diff"
    position: int = -1
    alignment: Union[tuple[int, ...], None] = None
    seed: int = 0

    def resolved(self) -> PathPatchingRequest:
        """The same request with its default receivers named.

        Raises:
            RequestError: A field has no such value, or two fields contradict each other.
        """
        if self.direction not in DIRECTIONS:
            raise RequestError(
                f"There is no direction {self.direction!r}.", f"Choose from {DIRECTIONS}."
            )
        if not self.pairs:
            raise RequestError("There is no prompt pair.", "Pass clean=... and corrupted=....")
        if len(self.pairs) > 1 and self.alignment is not None:
            raise RequestError(
                "An alignment belongs to one prompt pair.", "Pass a single pair, or no alignment."
            )
        if self.positions == ():
            raise RequestError("positions is empty.", "Leave it out to patch everywhere.")
        receivers, sender = self.receivers.strip(), self.sender.strip()
        return replace(self, receivers=receivers or ("" if sender else "logits"), sender=sender)


class PathStudy(MapTrials):
    """The runs of a request, and what is known of its paths so far.

    Args:
        model: The model.
        request: What is asked.

    Raises:
        As `run`.
    """

    def __init__(self, model: LiveModel, request: PathPatchingRequest) -> None:
        self.request = request.resolved()
        refuse(
            model.acting,
            moves_layers,
            "paths need every layer once, in its own place",
            "Switch it off here, or use ActivationPatching, which takes it.",
        )
        super().__init__(
            model,
            self.request.pairs,
            self.request.metric,
            normalises=True,
            seed=self.request.seed,
        )
        self.layout = model.layout
        self.map: PathMap = path_map(self.layout, self.request.sender, self.request.receivers)

    def lay_out(self) -> Iterator[float]:
        """Find what is sent in each cell, and which there are to compute; yields the share done."""
        self._begin_cells(len(self.map.cells))
        self.states[:, [not cell.receivers for cell in self.map.cells]] = NOT_APPLICABLE
        yield from paced(self._lay_out())

    def _lay_out(self) -> Iterator[float]:
        applicable = [c for c, cell in enumerate(self.map.cells) if cell.receivers]
        for done, group in enumerate(self._groups, 1):
            for index, contrast in enumerate(group.contrasts):
                for row in range(len(contrast)):
                    sent: dict[tuple[Component, ...], PatchedRun] = {}
                    for c in applicable:
                        senders = self.map.cells[c].senders
                        if senders not in sent:
                            sent[senders] = PatchedRun(row, self._sent(contrast, row, senders))
                        if sent[senders].patches:
                            group.runs[index][row, c] = sent[senders]
                        else:  # both runs have the same bits there
                            kept = group.kept[index]
                            kept[row, c] = contrast.base_streams[row].to(kept.device)
                    yield (done - 1) / len(self._groups)
            rows = range(len(group.members))
            for _ in self._read(group, [(row, c) for row in rows for c in applicable]):
                yield done / len(self._groups)

    def label(self, number: int, place: int) -> str:
        """The path of a cell."""
        cell = self.map.cells[place]
        return f"{named(cell.senders)} to {named(cell.receivers)}"

    def _experiments(self, pair: Pair) -> Iterator[Experiment]:
        request = self.request
        found = experiment(
            self.model,
            pair,
            metric=request.metric,
            direction=request.direction,
            source="prompt",
            position=request.position,
            alignment=request.alignment,
        )
        if all(found.aligned[p] == UNMATCHED for p in self._positions(found)):
            raise RequestError(
                f"The tokens at positions {list(request.positions or ())} meet none of the other "
                "prompt.",
                "Choose other positions, or pass alignment=[...].",
            )
        yield found

    def _contrast(self, experiments: Sequence[Experiment], continuation: int) -> Contrast:
        self._refuse_if_too_large(experiments, 2, gradient=False)
        places = {*outputs(self.layout), ("resid_pre", 0)}
        if self.request.receivers:
            together = {r for cell in self.map.cells for r in cell.receivers}
            places |= {self._place(r) for r in together if r.input is not None}
        return Contrast(self.model, experiments, continuation, places, source="prompt")

    def _key(self, contrast: Contrast) -> tuple[object, ...]:
        return (replace(self.request, metric="logit_diff", pairs=(), seed=0),)

    def _positions(self, experiment: Experiment) -> tuple[int, ...]:
        """Where the sender is replaced."""
        length = experiment.base_length
        given = self.request.positions
        if given is None:
            return tuple(range(length))
        for position in given:
            if not -length <= position < length:
                raise RequestError(
                    f"positions has {position}.",
                    f"The prompt has {length} tokens: use {-length} to {length - 1}.",
                )
        return tuple(sorted({position % length for position in given}))

    def _sent(
        self, contrast: Contrast, row: int, senders: Sequence[Component]
    ) -> tuple[Patch, ...]:
        """The senders' outputs as they are in the source run, where they can matter."""
        where = self._positions(contrast.experiments[row])
        if self.request.receivers == "logits":
            where = tuple(position for position in where if position in contrast.read)
        found = []
        for sender in senders:
            if sender.kind == "embed":
                found.append(contrast.patch(row, "resid_pre", 0, where, None))
            elif sender.kind == "mlp":
                found.append(contrast.patch(row, "mlp_out", sender.layer or 0, where, None))
            else:
                found += [
                    contrast.patch(row, "z", sender.layer or 0, where, head)
                    for head in self.layout.heads(sender)
                ]
        return tuple(patch for patch in found if patch is not None)

    def _seconds(self, group: Group, index: int) -> float:
        n_layers, length = self.layout.n_layers, group.contrasts[index].base.length
        tokens = 0
        for run, keys in self._by_sent(group, index, self._todo(group, index)).items():
            lowest = [min(self._place(r)[1] for r in self._receivers(key)) for key in keys]
            between = 2 if self.request.freeze_mlps else max(lowest) + 1 - run.layer
            tokens += between * len(positions_of([run]))
            tokens += sum(n_layers - layer for layer in lowest) * (length - run.position)
        return group.engine(index).work.predicted(0, tokens)

    def _compute_cells(self, group: Group, index: int, keys: Sequence[CellKey]) -> Iterator[float]:
        if not keys:
            return
        todo = self._by_sent(group, index, keys)
        contrast = group.contrasts[index]
        engine = group.engine(index)
        held = HeldRuns(
            self.model.bridge,
            self.layout,
            contrast.base,
            hold_mlps=self.request.freeze_mlps,
            shortcuts=engine.shortcuts,
        )
        runs = sorted(todo, key=lambda run: run.layer)
        longest = max(len(positions_of([run])) for run in runs)
        longest = longest if engine.shortcuts.layers else contrast.base.length
        size = max(1, engine.most_tokens // longest)
        for first in range(0, len(runs), size):
            cells = {run: todo[run] for run in runs[first : first + size]}
            began, half = first / len(runs), 0.5 * len(cells) / len(runs)
            places = {self._place(r) for each in cells.values() for key in each
                      for r in self._receivers(key)}  # fmt: skip
            received = yield from part(held.receive(list(cells), places), began, half)
            yield from part(self._finish(group, index, cells, received), began + half, half)

    def _finish(
        self,
        group: Group,
        index: int,
        cells: Mapping[PatchedRun, Sequence[CellKey]],
        received: Received,
    ) -> Generator[float, None, None]:
        """Put what was received into the base, and keep what becomes of it."""
        contrast = group.contrasts[index]
        runs: dict[CellKey, PatchedRun] = {}
        for i, (sent, keys) in enumerate(cells.items()):
            for key in keys:
                receivers = self._receivers(key)
                patches = [received.patch(i, sent, self._place(r), _unit(r)) for r in receivers]
                if len(patches) > 1:
                    patches = [_everywhere(contrast.base, sent.base, patch) for patch in patches]
                runs[key] = PatchedRun(sent.base, tuple(patches))
        keys = list(runs)
        for progress in group.engine(index).compute(list(runs.values())):
            found = [keys[i] for i in progress.runs]
            self._keep(group, index, found, progress.streams)
            yield progress.fraction
            for _ in self._read(group, found):
                yield progress.fraction

    def _by_sent(
        self, group: Group, index: int, keys: Sequence[CellKey]
    ) -> dict[PatchedRun, list[CellKey]]:
        """Cells by what is sent in them."""
        found: dict[PatchedRun, list[CellKey]] = {}
        for key in keys:
            found.setdefault(group.runs[index][key], []).append(key)
        return found

    def _receivers(self, key: CellKey) -> tuple[Component, ...]:
        return self.map.cells[key[1]].receivers

    def _place(self, receiver: Component) -> Place:
        """Where what a receiver makes of its input is found, and put in."""
        if receiver.layer is None:
            return "resid_post", self.layout.n_layers - 1
        return receiver.input or "mlp_out", receiver.layer


def _unit(receiver: Component) -> int | None:
    return receiver.head if receiver.kv_head is None else receiver.kv_head


def _everywhere(base: RecordedRuns, run: int, patch: Patch) -> Patch:
    """The patch, with the base's own values at all later positions.

    For of two receivers the upper one hears nothing of what the lower one changes.
    """
    whole = base.activations[patch.site, patch.layer][run].clone()
    patch.apply(whole)
    positions = tuple(range(patch.positions[0], base.length))
    wider = replace(patch, positions=positions)
    return replace(wider, value=wider.of(whole))
