"""Task vectors: what examples say about a task, as one vector per layer, put into a bare question.

A few-shot prompt shows examples of a task and asks about one thing more, the dummy query. The
stream at its last token before block l, averaged over several draws of examples and dummies, is the
task vector of layer l. It is then put in the place of the stream at the last token of questions
without examples, which were not among them, and the model runs on from there:

    accuracy(l) = share of questions whose most probable next token is the answer's first

beside the accuracy without the vector (zero-shot) and with examples in the prompt (few-shot, each
question with those of one draw). A vector that carries the task brings the first up to the second.
Intervals are Wilson's, over questions, 95 %.

With `shots=0` the task is stated rather than shown: `template` is a sentence that asks for it, and
`into` one that does not.

Sources: Hendel, Geva & Globerson 2023, "In-Context Learning Creates Task Vectors" (one draw, one
vector); Todd et al. 2024, "Function Vectors in Large Language Models" (means over prompts; theirs
are of heads' outputs, and are added).
Cost: a forward pass for each draw, two for each question, and of each layer and question a part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt
import torch

from headscope.errors import RequestError, ResultError
from headscope.interventions import Interventions, Means, Vector
from headscope.jobs.steps import Step, Steps
from headscope.model.intervening import Plan, plan
from headscope.model.intervening.running import Baseline
from headscope.model.intervening.vectors import vectors
from headscope.model.live import LiveModel
from headscope.model.runs import LOGITS, Site
from headscope.results import Axis, Grid, Measure, Prompt, Provenance, Scale, Term, TopTokens
from headscope.results.axes import MEAN

Example = tuple[str, str]
_Array = npt.NDArray[Any]

_RUNS_SHARE = 0.2
_Z = 1.959964
_WAITING, _EXACT = 1, 3


@dataclass(frozen=True)
class TaskVectorsRequest:
    """A task, as examples of it.

    Args:
        examples: Inputs and outputs, from which prompts are drawn.
        queries: Inputs and outputs that are asked about; none of the examples.
        template: How an example is written; prompts are examples one behind the other, the last of
            which ends where `{y}` is.
        into: How a question without examples is written; empty: as `template`.
        shots: Examples in a prompt.
        shuffles: Draws of examples and a dummy query.
        layers: Before which blocks the vector is taken and put; None for all.
        seed: Of the draws.
    """

    examples: tuple[Example, ...]
    queries: tuple[Example, ...]
    template: str = "{x} → {y}\n"
    into: str = ""
    shots: int = 5
    shuffles: int = 10
    layers: Union[tuple[int, ...], None] = None
    seed: int = 0


@dataclass(frozen=True)
class Asked:
    """A question as it runs.

    Args:
        prompt: Up to where its answer begins.
        answer: The first token of the answer.
    """

    prompt: Prompt
    answer: int


class Task:
    """The prompts of a request, drawn and cut into tokens.

    Args:
        model: Whose tokens.
        request: What is asked.

    Raises:
        HeadscopeError: An example is missing, is there twice, is asked about, or cannot run.
    """

    def __init__(self, model: LiveModel, request: TaskVectorsRequest) -> None:
        _check(request)
        n = model.n_layers
        self.layers = tuple(range(n)) if request.layers is None else request.layers
        wrong = [layer for layer in self.layers if not 0 <= layer < n]
        if wrong or not self.layers:
            named = wrong[0] if wrong else ""
            raise RequestError(f"There is no layer {named}.", f"Choose from 0 to {n - 1}.")
        template, into = request.template, request.into or request.template
        draw = np.random.default_rng(request.seed)
        orders = [draw.permutation(len(request.examples)) for _ in range(request.shuffles)]
        drawn = [[request.examples[i] for i in order[: request.shots + 1]] for order in orders]
        shown = ["".join(written(template, x, y) for x, y in shots) for *shots, _ in drawn]
        texts = [
            before + opened(template, dummy[0])
            for before, (*_, dummy) in zip(shown, drawn, strict=True)
        ]
        #: The task vector at any layer, as a direction.
        self.direction = Means(tuple(texts))
        self.source = model.tokenize(texts[0])
        for text in texts:
            model.tokenize(text)
        self.bare = [ask(model, "", into, query) for query in request.queries]
        self.shown = [
            ask(model, shown[i % len(shown)], template, query)
            for i, query in enumerate(request.queries)
        ]


def written(template: str, x: str, y: str) -> str:
    """An example in full."""
    before, _, rest = template.partition("{x}")
    between, _, after = rest.partition("{y}")
    return f"{before}{x}{between}{y}{after}"


def opened(template: str, x: str) -> str:
    """An example up to its answer; a space before that belongs to the answer's token."""
    return written(template.partition("{y}")[0] + "{y}", x, "").rstrip(" ")


def ask(model: LiveModel, before: str, template: str, query: Example) -> Asked:
    """A question behind some text.

    Raises:
        RequestError: The answer begins within a token of the question.
        PromptError: It cannot run.
    """
    x, y = query
    prompt = model.tokenize(before + opened(template, x))
    whole = model.tokenize(before + written(template.partition("{y}")[0] + "{y}", x, y)).token_ids
    n = len(prompt.token_ids)
    if whole[:n] != prompt.token_ids or len(whole) == n:
        raise RequestError(
            f"The answer {y!r} begins within a token of its question.",
            "End the template's text before {y} with a space, as in '{x} -> {y}'.",
        )
    return Asked(prompt, whole[n])


def replacing(layer: int, vector: Vector) -> Interventions:
    """The stream at the last token of the prompt before block `layer` is the vector."""
    stream = Interventions().zero(f"L{layer}.resid_pre", positions=-1)
    return stream.steer(layer, vector, positions=-1)


def extracted(
    model: LiveModel, task: Task, layers: Sequence[int]
) -> Generator[float, None, list[Vector]]:
    """The task vector of each layer, in steps of a prompt."""
    found = yield from vectors(model, task.direction, layers)
    return [
        Vector(tuple(row.tolist()), name=f"task vector of L{layer}")
        for layer, row in zip(layers, found, strict=True)
    ]


def run(model: LiveModel, request: TaskVectorsRequest) -> Steps[Grid]:
    """Extract the task vectors, and measure what they do.

    Returns:
        A grid `[query, run]`: runs are zero-shot, the vector at each layer, few-shot; the first row
        is the mean. Cells hold the most probable token. What is cancelled keeps the queries that
        are done.

    Raises:
        HeadscopeError: See `Task`.
    """
    task = Task(model, request)
    yield Step(0.0, "Running the examples")
    user_hooks, state = model.user_hooks(), model.state()
    found: list[Vector] = []

    def taken() -> Generator[float, None, None]:
        found.extend((yield from extracted(model, task, task.layers)))

    def unchanged() -> None:
        if model.state() != state:
            raise ResultError(
                "The model's weights or hooks have changed between two runs.", "Run it again."
            )

    for share in taken():
        yield Step(_RUNS_SHARE * share, "Running the examples")
        unchanged()
    plans = [plan(model, replacing(*at)) for at in zip(task.layers, found, strict=True)]
    plain = plan(model, Interventions())
    outcome = _Outcome(model, request, task, user_hooks)
    total = len(task.bare) * (len(plans) + 2)
    for i, (bare, shown) in enumerate(zip(task.bare, task.shown, strict=True)):
        for j, logits in enumerate(_runs(model, bare, shown, [plain, *plans])):
            outcome.take(i, j, logits, shown.answer if j > len(plans) else bare.answer)
            done = (i * (len(plans) + 2) + j + 1) / total
            partial = outcome.grid() if j > len(plans) else None
            yield Step(_RUNS_SHARE + (1 - _RUNS_SHARE) * done, f"Query {i + 1}", partial)
            unchanged()
    return outcome.grid()


def _runs(
    model: LiveModel, bare: Asked, shown: Asked, plans: Sequence[Plan]
) -> Generator[torch.Tensor, None, None]:
    """Logits `[d_vocab]` behind one question: bare, with each vector, with examples."""
    baseline = Baseline(model, bare.prompt.token_ids)
    for planned in plans:
        yield baseline.run(planned).logits[0]
    ids = shown.prompt.token_ids
    behind = Site(LOGITS, 0, len(ids) - 1)
    yield model.activations(ids, [behind])[behind]


class _Outcome:
    """What came out, `[query, run]`, as far as it is known."""

    def __init__(
        self, model: LiveModel, request: TaskVectorsRequest, task: Task, user_hooks: Sequence[str]
    ) -> None:
        self._model, self._request, self._task = model, request, task
        self._user_hooks = user_hooks
        shape = len(task.bare), len(task.layers) + 2
        self.right, self.probability = np.full(shape, np.nan), np.full(shape, np.nan)
        self.best, self.share = np.full(shape, -1, np.int32), np.full(shape, np.nan)

    def take(self, query: int, ran: int, logits: torch.Tensor, answer: int) -> None:
        """Logits `[d_vocab]` of one run."""
        shares = logits.softmax(-1)
        best = int(shares.argmax())
        self.right[query, ran] = best == answer
        self.probability[query, ran] = float(shares[answer])
        self.best[query, ran], self.share[query, ran] = best, float(shares[best])

    def grid(self) -> Grid:
        """The result."""
        done = int((~np.isnan(self.right)).all(1).sum())
        right = _with_mean(self.right, done)
        low, high = (np.full(right.shape, np.nan, np.float32) for _ in range(2))
        for j, accuracy in enumerate(right[0]):
            low[0, j], high[0, j] = wilson(float(accuracy), done)
        few = f"{self._request.shots}-shot" if self._request.shots else "as stated"
        layers = self._task.layers
        names = ("zero-shot", *(f"L{layer}" for layer in layers), few)
        states = np.where(np.isnan(right), _WAITING, _EXACT).astype(np.uint8)
        return Grid(
            title="Task vectors",
            axes=(
                Axis("query", (MEAN, *(f"{x} → {y}" for x, y in self._request.queries))),
                Axis("run", names, selects="layer", indices=(None, *layers, None)),
            ),
            measures=self._measures(right, low, high, done),
            provenance=self._provenance(),
            top=self._top(),
            states=None if done == len(self.right) else states,
            baselines=(Term("zero-shot", float(right[0, 0])), Term(few, float(right[0, -1]))),
        )

    def _measures(self, right: _Array, low: _Array, high: _Array, done: int) -> tuple[Measure, ...]:
        whole = Scale("sequential", 0.0, 1.0)
        return (
            Measure(
                "accuracy", "Accuracy", "",
                "Whether the most probable next token is the answer's first; on top the share of "
                "queries for which it is.",
                right, whole,
            ),
            Measure(
                "probability", "Probability of the answer", "probability",
                "Of the answer's first token; on top the mean over queries.",
                _with_mean(self.probability, done), whole,
            ),
            Measure(
                "low", "Low end of interval", "",
                "Low end of Wilson's 95 % interval of the accuracy.", low, whole,
            ),
            Measure(
                "high", "High end of interval", "",
                "High end of Wilson's 95 % interval of the accuracy.", high, whole,
            ),
        )  # fmt: skip

    def _top(self) -> TopTokens:
        ids = np.concatenate([np.full((1, self.best.shape[1]), -1, np.int32), self.best])
        share = np.concatenate([np.full((1, self.best.shape[1]), np.nan), self.share])
        seen = np.unique(ids[ids >= 0]).tolist()
        texts = {"-1": ""} | {str(token): self._model.token_text(token) for token in seen}
        return TopTokens(ids[..., None], share.astype(np.float32)[..., None], texts)

    def _provenance(self) -> Provenance:
        request = self._request
        return self._model.provenance(
            "task_vectors",
            (self._task.source, self._task.bare[0].prompt),
            {
                "examples": json.dumps(request.examples), "queries": json.dumps(request.queries),
                "template": request.template, "into": request.into, "shots": request.shots,
                "shuffles": request.shuffles, "layers": request.layers,
            },
            sign="Higher is better: 1 is right.",
            normalisation="Shares of queries; probabilities over the whole vocabulary.",
            user_hooks=self._user_hooks,
            notes=("Of the prompts only the first with examples, and without, are listed.",),
            seed=request.seed,
        )  # fmt: skip


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `n`; NaN for none."""
    if n == 0:
        return math.nan, math.nan
    spread = _Z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _with_mean(values: _Array, done: int) -> _Array:
    """float32 `[1 + query, run]`: the mean over queries that are done, then each."""
    mean = values[:done].mean(0) if done else np.full(values.shape[1], np.nan)
    return np.concatenate([mean[None], values]).astype(np.float32)


def _check(request: TaskVectorsRequest) -> None:
    for name, pairs in (("examples", request.examples), ("queries", request.queries)):
        for pair in pairs:
            texts = isinstance(pair, Sequence) and len(pair) == 2
            if not texts or not all(isinstance(text, str) and text for text in pair):
                raise RequestError(
                    f"{pair!r:.60} is no pair of texts.", f"Pass {name}=[('Texas', 'Austin'), ...]."
                )
    asked, inputs = [x for x, _ in request.queries], [x for x, _ in request.examples]
    if not asked:
        raise RequestError("There are no queries.", "Hold some pairs back, to be asked about.")
    both = sorted({*asked} & {*inputs})
    if both:
        raise RequestError(
            f"{both[0]!r} is an example and a query.", "Ask about what is not among the examples."
        )
    twice = next((x for i, x in enumerate(inputs) if x in inputs[:i]), None)
    if twice is not None:
        raise RequestError(f"{twice!r} is there twice.", "Give every input once.")
    if request.shots < 0 or request.shuffles < 1:
        raise RequestError("shots or shuffles are too few.", "Choose shots=5, shuffles=10.")
    if len(inputs) <= request.shots:
        raise RequestError(
            f"{len(inputs)} examples are too few for {request.shots} shots and a dummy query.",
            f"Give {request.shots + 1} or more.",
        )
    for name, template in (("template", request.template), ("into", request.into)):
        whole = template.count("{x}") == template.count("{y}") == 1
        if template and not (whole and template.index("{x}") < template.index("{y}")):
            raise RequestError(f"{name} is {template!r}.", "Write {x} and then {y}: '{x} -> {y}'.")
    if not request.template:
        raise RequestError("The template is empty.", "Write such as '{x} -> {y}'.")
