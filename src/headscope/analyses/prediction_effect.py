"""Prediction effect: what interventions do to the distribution of the next token.

With z the plain model's logits at a position, z' those of the run with the interventions, and p, p'
their softmax over the whole vocabulary,

    probability   p(token), p'(token), and the change p' - p
    logit         z(token), z'(token), and the change z' - z
    KL            sum of p log(p / p')                               nats
    loss          -log p(answer), -log p'(answer)                    nats

Positive changes are what the interventions add. Rows are the most probable tokens of both runs and
the answer, the most probable in either first. Logits are the model's own: a constant that is added
to all of them moves no probability.

Cost: one forward pass for the plain run, which `Before` keeps, and one from the lowest changed
layer on; what the interventions themselves need (means, other prompts) besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

import numpy as np
import torch

from headscope.analyses.intervened import prepared
from headscope.errors import RequestError
from headscope.interventions import Interventions
from headscope.jobs.steps import Step, Steps
from headscope.model.dictionaries import Transcoders
from headscope.model.intervening import plan
from headscope.model.intervening.running import Baseline
from headscope.model.live import LiveModel
from headscope.results import Axis, Grid, Measure, Prompt, Scale, Term

Text = Union[str, tuple[int, ...]]
RUNS = ("before", "after", "change")


@dataclass(frozen=True)
class PredictionEffectRequest:
    """What interventions do to a prediction.

    Args:
        prompt: Text or token ids.
        interventions: Those that are on count.
        answer: The token whose loss is told, text or id; None for the plain model's own.
        position: Where the prediction is made; negative counts from the end.
        top_k: How many of the most probable tokens of each run.
        transcoders: Whose features are clamped.
    """

    prompt: Text
    interventions: Interventions = Interventions()  # noqa: RUF009  # it is never changed
    answer: Union[str, int, None] = None
    position: int = -1
    top_k: int = 10
    transcoders: Union[Transcoders, None] = None

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise RequestError(f"top_k is {self.top_k}.", "Pass 1 or more.")


class Before:
    """The plain run of a prompt, which many interventions are compared with.

    Args:
        model: The model.
        prompt: What runs.
        position: Where the prediction is made, from the beginning.
    """

    def __init__(self, model: LiveModel, prompt: Prompt, position: int) -> None:
        self.prompt, self.positions = prompt, (position, -1)
        self.user_hooks = model.user_hooks()
        self.baseline = Baseline(model, prompt.token_ids)
        nothing = plan(model, Interventions())
        self.logits, self.last = self.baseline.run(nothing, self.positions).logits.cpu()
        self._state = model.state()

    def is_of(self, model: LiveModel, request: PredictionEffectRequest) -> bool:
        """Whether it is what a request needs, on the model as it is now."""
        if self._state != model.state():
            return False
        prompt = model.tokenize(request.prompt)
        there = request.position % len(prompt.token_ids) == self.positions[0]
        return there and prompt.token_ids == self.prompt.token_ids


def before(model: LiveModel, request: PredictionEffectRequest) -> Steps[Before]:
    """The plain run.

    Raises:
        PromptError: The prompt cannot be run.
        RequestError: There is no such position.
    """
    prompt = model.tokenize(request.prompt)
    n = len(prompt.token_ids)
    if not -n <= request.position < n:
        raise RequestError(
            f"There is no position {request.position}.", f"The prompt's are 0 to {n - 1}."
        )
    yield Step(0.0, "Running the model")
    return Before(model, prompt, request.position % n)


def run(
    model: LiveModel, request: PredictionEffectRequest, known: Before | None = None
) -> Steps[Grid]:
    """Predict with the interventions and without them.

    Args:
        model: The model.
        request: What to do.
        known: The plain run, where there is one.

    Returns:
        A grid `[token, run]`; runs are `before`, `after` and `change`.

    Raises:
        HeadscopeError: The prompt cannot be run, there is no such position, or an intervention does
            not fit.
    """
    plain = known
    if plain is None:
        plain = yield from before(model, request)
        yield Step(0.5, "Running it with the interventions")
    acting = yield from prepared(model, request.interventions, request.transcoders, 0.5)
    # The positions of the plain run, so that what does nothing changes not even the rounding.
    changed = plain.baseline.run(acting, plain.positions).logits[0].cpu()
    return _grid(model, request, plain, changed)


def _grid(
    model: LiveModel,
    request: PredictionEffectRequest,
    plain: Before,
    changed: torch.Tensor,
) -> Grid:
    both = torch.stack([plain.logits, changed]).double()
    log_probs = both.log_softmax(-1)
    probs = log_probs.exp()
    given = request.answer
    answer = int(plain.logits.argmax()) if given is None else model.token_id(given)
    ids = _rows(probs, request.top_k, answer)
    chances = _with_change(probs[:, ids])
    logits = _with_change(both[:, ids])
    divergence = (probs[0] * (log_probs[0] - log_probs[1])).nan_to_num(0.0).sum()
    text, of = model.token_text(answer), request.transcoders
    return Grid(
        title="Prediction before and after interventions",
        axes=(Axis("token", tuple(map(model.token_text, ids)), tokens=True), Axis("run", RUNS)),
        measures=(
            Measure(
                "probability", "Probability", "probability",
                "Softmax of the logits over the whole vocabulary. The change is after less before: "
                "positive where the interventions make a token more likely.",
                chances, Scale("diverging", -1.0, 1.0),
            ),
            Measure(
                "logit", "Logit", "logits",
                "The model's own logits. The change is after less before.",
                logits, Scale.diverging(logits),
            ),
        ),
        provenance=model.provenance(
            "prediction_effect",
            (plain.prompt,),
            {
                "interventions": request.interventions.to_json(),
                "answer": text, "answer_id": answer, "position": request.position,
                "top_k": request.top_k,
                "transcoders": None if of is None else of.name,
                "transcoders_revision": None if of is None else of.revision,
            },
            sign="A positive change is what the interventions add.",
            normalisation="Probabilities over the whole vocabulary; logits are the model's own.",
            user_hooks=plain.user_hooks,
        ),
        baselines=(
            Term("KL divergence", float(divergence)),
            Term(f"loss of {text!r} before", -float(log_probs[0, answer])),
            Term(f"loss of {text!r} after", -float(log_probs[1, answer])),
        ),
        next_tokens=model.next_tokens(plain.last),
        drawn="bars",
    )  # fmt: skip


def _rows(probs: torch.Tensor, k: int, answer: int) -> list[int]:
    """The `k` most probable tokens of either run and the answer, the most probable first."""
    best = probs.topk(min(k, probs.shape[-1])).indices.flatten().tolist()
    chance = probs.max(0).values
    return sorted({*best, answer}, key=lambda token: (-float(chance[token]), token))


def _with_change(runs: torch.Tensor) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """`[token, run]` of `[run, token]`."""
    return torch.stack([*runs, runs[1] - runs[0]], -1).numpy().astype(np.float32)
