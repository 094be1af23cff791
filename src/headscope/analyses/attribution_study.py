"""What an attribution graph is asked for, and the local replacement model that it is read off."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeVar, Union

import torch

from headscope.analyses.attribution_targets import Targets, find_targets
from headscope.errors import PromptError, RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.dictionaries import Transcoders
from headscope.model.frozen import FrozenRun, freeze
from headscope.model.live import LiveModel
from headscope.model.neuron_units import neuron_sites, replace_by_neurons
from headscope.model.replacement import LocalReplacement
from headscope.model.transcoded import replace_by_features
from headscope.results import Prompt

UnitKind = Literal["features", "neurons"]


@dataclass(frozen=True)
class AttributionRequest:
    """What is to be explained, by what, and how much of it is to be kept.

    Args:
        prompt: A string or token ids.
        transcoders: Of the model; None for its own neurons.
        targets: Tokens (texts or ids) whose logits are explained; empty for the most probable.
        wrong: A token whose logit is subtracted from each of them.
        most_targets: At most so many of the most probable tokens,
        target_share: and no more than make up this probability together.
        max_nodes: How many units at most, over all layers and positions.
        node_share: Nodes are kept up to this share of the influence.
        edge_share: Edges between them, up to this share of their scores.
    """

    prompt: Union[str, tuple[int, ...]]
    transcoders: Union[Transcoders, None] = None
    targets: tuple[Union[str, int], ...] = ()
    wrong: Union[str, int, None] = None
    most_targets: int = 10
    target_share: float = 0.95
    max_nodes: int = 1000
    node_share: float = 0.8
    edge_share: float = 0.98

    def __post_init__(self) -> None:
        for name in ("most_targets", "max_nodes"):
            if getattr(self, name) < 1:
                raise RequestError(f"{name} is {getattr(self, name)}.", "Ask for at least 1.")
        for name in ("target_share", "node_share", "edge_share"):
            if not 0 < getattr(self, name) <= 1:
                raise RequestError(
                    f"{name} is {getattr(self, name)}.", "Shares are above 0 and at most 1."
                )

    @property
    def units(self) -> UnitKind:
        """What the nodes are."""
        return "neurons" if self.transcoders is None else "features"


class AttributionStudy:
    """A prompt's local replacement model and what is asked of it.

    Args:
        model: The model.
        request: What is asked.

    Raises:
        PromptError: The prompt cannot be run, or has nothing after its beginning.
    """

    prompt: Prompt
    run: FrozenRun
    targets: Targets
    replacement: LocalReplacement

    def __init__(self, model: LiveModel, request: AttributionRequest) -> None:
        self.model = model
        self.request = request
        self.prompt = model.tokenize(request.prompt)
        ids = self.prompt.token_ids
        self.constant_first = ids[0] == model.bos_id
        if len(ids) < 1 + self.constant_first:
            raise PromptError(
                "The prompt is too short: nothing follows its beginning-of-sequence token.",
                "Type at least one token.",
            )

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return sum(map(len, self.replacement.units))

    def prepare(self) -> Steps[None]:
        """Run the prompt, find the targets and write the MLPs as units.

        Raises:
            HeadscopeError: See `freeze`, `find_targets` and the two ways to replace an MLP.
        """
        request, model = self.request, self.model
        wanted = neuron_sites(model) if request.transcoders is None else []
        yield Step(0.0, "Running the model")
        with torch.no_grad():
            self.run = freeze(model, self.prompt.token_ids, wanted)
            self.targets = find_targets(
                model, self.run, request.targets, request.wrong,
                most=request.most_targets, share=request.target_share,
            )  # fmt: skip
        if request.transcoders is None:
            weights = torch.tensor(self.targets.weights, device=self.run.streams[0].device)
            replacing = replace_by_neurons(
                model, self.run, self.targets.readers, weights,
                most=request.max_nodes, constant_first=self.constant_first,
            )  # fmt: skip
        else:
            replacing = replace_by_features(
                model.bridge, self.run, request.transcoders, constant_first=self.constant_first
            )
        self.replacement = yield from without_gradients(
            replacing, Step(0.5, f"Finding active {request.units}")
        )
        if not self.n_units:
            raise RequestError(
                f"No {request.units} are active on this prompt.",
                "Try another prompt, or leave out transcoders to use neurons.",
            )


T = TypeVar("T")


def without_gradients(work: Generator[None, None, T], step: Step) -> Steps[T]:
    """Do `work` with gradients off, and on again at every pause, where `step` is said."""
    while True:
        try:
            with torch.no_grad():
                next(work)
        except StopIteration as end:
            found: T = end.value
            return found
        yield step
