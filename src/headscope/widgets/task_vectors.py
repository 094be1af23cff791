"""`TaskVectors`: a task taken from examples as a vector, and put into bare questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import traitlets as t

from headscope.analyses import task_vectors
from headscope.analyses.task_vectors import Example, Task, TaskVectorsRequest, ask, extracted
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.interventions import Interventions, Means, Vector
from headscope.jobs import Steps
from headscope.jobs.steps import drained
from headscope.model import LiveModel
from headscope.results import Grid, Prompt
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.page import synced
from headscope.widgets.pairs import field
from headscope.widgets.prompt import Source
from headscope.widgets.written import Written
from headscope.wire.messages import FieldSpec

Examples = tuple[Example, ...]


class TaskVectors(HeadscopeWidget[Grid]):
    """What a task's examples put into the stream, and whether it does the task alone, live.

    `result` is a `Grid` `[query, run]` with the measures `accuracy`, `probability`, `low` and
    `high` (Wilson's 95 % interval): each query zero-shot, with the task vector of each layer in the
    place of the stream at the last token, and few-shot. The first row is the mean. In the page,
    examples are lines such as `Texas → Austin`. Costs a forward pass for each draw, two for each
    query, and of each layer and query a part. Definitions and sources:
    `headscope.analyses.task_vectors`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        examples: Pairs of input and output, or lines.
        queries: Pairs to be asked about, none of them an example.
        template: How an example is written, with `{x}` and `{y}`. In the page a line break is
            written as a backslash and an n.
        into: How a question without examples is written; empty: as `template`.
        shots: Examples in a prompt; 0 where the template says what the task is.
        shuffles: Over how many draws of examples the vector is the mean.
        layers: Before which blocks; None for all.
        seed: Of the draws.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> states = [("Texas", "Austin"), ("Ohio", "Columbus"), ("Maine", "Augusta")]
        >>> widget = hs.TaskVectors(hs.load_demo(), states, [("Utah", "Salt Lake City")], shots=0,
        ...                         template="The capital of {x} is {y}", into="In {x}, {y}")
        >>> widget.result["accuracy"][0]  # zero-shot, at each layer, as stated
        >>> with widget.replacing(2).applied(model):
        ...     ...  # the last token of every prompt carries the task
    """

    fields: ClassVar[tuple[FieldSpec, ...]] = (
        field("queries", "Queries", "text", "What is asked about; none of the examples."),
        field("template", "Template", "line", "How an example is written, with {x} and {y}."),
        field("into", "Without examples", "line", "How a bare question is written; empty: alike."),
        field("shots", "Shots", "integer", "Examples in a prompt."),
        field("shuffles", "Draws", "integer", "Over how many prompts the vector is the mean."),
        field("seed", "Seed", "integer", "Of the draws."),
    )
    pausable: ClassVar[bool] = True

    queries: str = synced(t.Unicode(""))
    template: str = synced(t.Unicode("{x} → {y}\\n"))
    into: str = synced(t.Unicode(""))
    shots: int = synced(t.Int(5))
    shuffles: int = synced(t.Int(10))
    seed: int = synced(t.Int(0))

    @checked
    def __init__(
        self,
        model: Any,
        examples: Any,
        queries: Any,
        *,
        template: str = "{x} → {y}\n",
        into: str = "",
        shots: int = 5,
        shuffles: int = 10,
        layers: Sequence[int] | None = None,
        seed: int = 0,
        selection: Any = None,
    ) -> None:
        self._options: dict[str, Any] = {"layers": layers}
        self._queries = self._source_of(LiveModel.of(model))
        super().__init__(
            model, _given("examples", examples), selection=selection,
            queries=self._queries.read(_given("queries", queries)), template=_one_line(template),
            into=_one_line(into), shots=shots, shuffles=shuffles, seed=seed,
        )  # fmt: skip

    @property
    def direction(self) -> Means:
        """The task vector as a direction: the mean over the prompts with examples, at any layer.

        Raises:
            HeadscopeError: The examples or a field are no good.
        """
        return self._task().direction

    @checked
    def vector(self, layer: int) -> Vector:
        """The task vector of a layer. Costs the prompts with examples, where they are not cached.

        Args:
            layer: Before which block.

        Raises:
            ResultError: There is no result yet, or the model has changed since.
            RequestError: There is no such layer.
        """
        self._unchanged(self._shown())
        if not 0 <= layer < self._model.n_layers:
            raise RequestError(
                f"There is no layer {layer}.", f"Choose from 0 to {self._model.n_layers - 1}."
            )
        (found,) = drained(extracted(self._model, self._task(), (layer,)))
        return found

    @checked
    def replacing(self, layer: int) -> Interventions:
        """What puts the task vector of a layer in the place of the stream at the last token."""
        return task_vectors.replacing(layer, self.vector(layer))

    def _source_of(self, model: LiveModel) -> Source:
        def tokens(pairs: Examples) -> Prompt:
            template = _lines(self.into) or _lines(self.template)
            return ask(model, "", template, pairs[0]).prompt

        return Written(_parsed, _spelt, tokens)

    def _request(self, prompt: Examples) -> TaskVectorsRequest:
        layers = self._options["layers"]
        return TaskVectorsRequest(
            prompt,
            self._queries.source(self.queries),
            _lines(self.template),
            _lines(self.into),
            self.shots,
            self.shuffles,
            None if layers is None else tuple(layers),
            self.seed,
        )

    def _task(self) -> Task:
        return Task(self._model, self._request(self._prompts.source(self.prompt)))

    def _analyse(self, request: TaskVectorsRequest) -> Steps[Grid]:
        return task_vectors.run(self._model, request)

    def close(self) -> None:
        """As `HeadscopeWidget.close`."""
        was_open = self.comm is not None  # or it was never made: its model was refused
        super().close()
        if was_open:
            self._queries = self._source_of(self._model)


def _parsed(text: str) -> Examples:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        x, arrow, y = line.replace("->", "→").partition("→")
        if not (x.strip() and arrow and y.strip()):
            raise RequestError(
                f"Line {number} is no example: {line!r:.40}.", "Write lines such as Texas → Austin."
            )
        pairs.append((x.strip(), y.strip()))
    if not pairs:
        raise RequestError("There are no examples.", "Write lines such as Texas → Austin.")
    return tuple(pairs)


def _spelt(pairs: Examples) -> str:
    return "\n".join(f"{x} → {y}" for x, y in pairs)


def _given(name: str, pairs: Any) -> str | Examples:
    """Lines as they are; pairs as tuples of texts."""
    if isinstance(pairs, str):
        return pairs
    good = isinstance(pairs, Sequence) and all(
        isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        for pair in pairs
    )
    if not good or not pairs:
        raise RequestError(
            f"{name} are no pairs of texts.", f"Pass {name}=[('Texas', 'Austin'), ...]."
        )
    return tuple((x, y) for x, y in pairs)


def _one_line(template: str) -> str:
    return template.replace("\n", "\\n")


def _lines(template: str) -> str:
    return template.replace("\\n", "\n")
