"""Generation with and without interventions, token by token, from the same seed.

Two texts go on from one prompt: the model's own, and that of the model with the interventions. At
each step both draw with the same noise (common random numbers): the token is the largest of

    log p(token) / temperature + g(token)          g: Gumbel noise of the seed and the step

so that equal distributions give equal tokens, and texts part where the interventions matter, not
where dice fall. Temperature 0 takes the most probable token.

Measures, per run and step, of the token that the run has drawn; each model's distribution is its
own, at temperature 1, whatever it was drawn with:

    probability  by the run that drew it
    other        by the other run's model, on this same text
    ratio        log(probability / other), nats: positive where the run made it likelier

Interventions at positions act on the prompt; all others on the new tokens too.

Cost: a forward pass per run and token, of the new token alone where keys and values can be kept
(not where layers repeat, or the first is left out); and, where the texts part, each once more by
the other run's model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Union

import numpy as np
import torch

from headscope.analyses.generation_runs import EXACT, NOBODY, Runs
from headscope.analyses.intervened import prepared
from headscope.analyses.readings import vectors_per_piece
from headscope.errors import PromptError, RequestError
from headscope.interventions import Interventions
from headscope.jobs.steps import Step, Steps
from headscope.model.dictionaries import Transcoders
from headscope.model.intervening import Plan
from headscope.model.intervening.generating import Sampling, Text, end_ids
from headscope.model.live import LiveModel
from headscope.model.memory import pass_bytes, refuse_if_too_large
from headscope.results import (
    Axis,
    Grid,
    Measure,
    NextToken,
    Prompt,
    Provenance,
    Scale,
    TopTokens,
)

#: The runs, in order.
RUNS = ("plain", "with")
#: Ratios beyond this, in nats, look the same.
_REACH = 10.0
_GENERATING = 0.9


@dataclass(frozen=True)
class GenerationRequest:
    """A text that goes on, with interventions and without.

    Args:
        prompt: Text or token ids.
        interventions: What one of the runs is changed by; where none is on, there is but one run.
        n_tokens: Most new tokens of a run.
        temperature: Logits are divided by it; 0 takes the most probable token.
        seed: Of the noise.
        transcoders: Whose features are clamped.
    """

    prompt: Union[str, tuple[int, ...]]
    interventions: Interventions = field(default_factory=Interventions)
    n_tokens: int = 40
    temperature: float = 1.0
    seed: int = 0
    transcoders: Union[Transcoders, None] = None


def run(model: LiveModel, request: GenerationRequest) -> Steps[Grid]:
    """Let the texts grow.

    Returns:
        A grid `[run, step]` drawn as texts; the first of its top tokens is what was drawn. What is
        cancelled keeps the tokens that there are.

    Raises:
        PromptError: The prompt cannot be run, or fills the model's context.
        RequestError: A parameter is out of range, or it needs more memory than is free.
        ResultError: The model changed meanwhile.
    """
    prompt = model.tokenize(request.prompt)
    sampling = Sampling(request.temperature, request.seed)
    n_steps = _room(model, prompt, request.n_tokens)
    size = min(n_steps, vectors_per_piece(model.d_vocab))
    need = pass_bytes(model.bridge, len(prompt.token_ids) + n_steps, model.n_layers, size)
    refuse_if_too_large(Counter({model.device: need}), f"Generating {n_steps} tokens")
    yield Step(0.0, "Running the model")
    state = model.state()
    active = request.interventions.active
    plans: list[Plan | None] = [None]
    if active:
        plans.append((yield from prepared(model, active, request.transcoders)))
    runs = Runs(len(plans), n_steps)
    provenance = _provenance(model, prompt, request, n_steps)
    next_tokens: tuple[NextToken, ...] = ()
    texts = [Text(model, prompt.token_ids, changes) for changes in plans]
    ends, total = end_ids(model), len(plans) * n_steps
    given: list[Sequence[int]] = [prompt.token_ids for _ in plans]
    done = 0
    for step in range(n_steps):
        together, drawn = runs.together, {}
        for number in runs.going:
            model.still(state, "generation began")
            logits = texts[number].grow(given[number])[-1]
            next_tokens = next_tokens or model.next_tokens(logits)
            drawn[number] = sampling.choose(logits, step), logits.log_softmax(-1).cpu()
            done += 1
            yield Step(_GENERATING * done / total, f"Token {step + 1}")
        for number, (token, log_probs) in drawn.items():
            if token in ends:
                runs.end(number, step)
                continue
            runs.say(number, step, token, log_probs)
            given[number] = [token]
            if together and len(drawn) > 1:
                runs.other[number, step] = float(drawn[1 - number][1][token])
        if not runs.going:
            break
        grid = _grid(model, provenance, runs, next_tokens, partial=True)
        yield Step(_GENERATING * done / total, f"Token {step + 1}", grid)
    for number in range(len(plans) if len(plans) > 1 else 0):
        unknown = np.flatnonzero(np.isnan(runs.other[number, : len(runs.said[number])]))
        if len(unknown):
            told = _told(model, prompt, runs.said[number], plans[1 - number], size)
            for step, log_prob in enumerate(told):
                runs.other[number, step] = log_prob
                if step % size == 0:
                    share = (number + step / n_steps) / len(plans)
                    yield Step(_GENERATING + (1 - _GENERATING) * share, "Comparing")
                    model.still(state, "generation began")
    notes = (*provenance.notes, *_endings(runs, n_steps))
    return _grid(model, replace(provenance, notes=notes), runs, next_tokens)


def _room(model: LiveModel, prompt: Prompt, n_tokens: int) -> int:
    """How many tokens there may be."""
    if n_tokens < 1:
        raise RequestError(f"n_tokens is {n_tokens}.", "Pass 1 or more.")
    room = model.n_ctx - len(prompt.token_ids)
    if room < 1:
        raise PromptError(
            f"The prompt fills the model's context of {model.n_ctx} tokens.",
            "Use a shorter one: there is no room for a new token.",
        )
    return min(n_tokens, room)


def _told(
    model: LiveModel, prompt: Prompt, said: Sequence[int], changes: Plan | None, size: int
) -> Iterator[float]:
    """Log-probabilities of the tokens of a text by a model that did not write it."""
    text = Text(model, prompt.token_ids, changes)
    given = [*prompt.token_ids]
    for start in range(0, len(said), size):
        piece = said[start : start + size]
        # The logits of a token are those at the place before it.
        logits = text.grow([*given, *piece[:-1]], len(piece))
        wanted = torch.tensor(piece, device=logits.device)
        yield from logits.log_softmax(-1).gather(1, wanted[:, None])[:, 0].tolist()
        given = [piece[-1]]


def _provenance(
    model: LiveModel, prompt: Prompt, request: GenerationRequest, n_steps: int
) -> Provenance:
    notes = ["Runs draw with the same noise at each step: equal distributions give equal tokens."]
    if n_steps < request.n_tokens:
        notes.append(f"The model's context of {model.n_ctx} tokens has room for {n_steps} more.")
    of = request.transcoders
    return model.provenance(
        "generation",
        (prompt,),
        {
            "interventions": request.interventions.to_json(),
            "n_tokens": request.n_tokens, "temperature": request.temperature,
            "transcoders": None if of is None else of.name,
            "transcoders_revision": None if of is None else of.revision,
        },
        sign="Ratios are positive where the run that wrote a token made it likelier.",
        normalisation="Probabilities are the model's own, at temperature 1.",
        user_hooks=model.user_hooks(),
        notes=notes,
        seed=request.seed,
    )  # fmt: skip


def _endings(runs: Runs, n_steps: int) -> Iterator[str]:
    for name, said in zip(RUNS, runs.said, strict=False):
        if len(said) < n_steps:
            yield f"The model ends the text after {len(said)} tokens ({name})."


def _grid(
    model: LiveModel,
    provenance: Provenance,
    runs: Runs,
    next_tokens: tuple[NextToken, ...],
    *,
    partial: bool = False,
) -> Grid:
    n_runs, n_steps = runs.states.shape
    texts = {
        str(token): model.token_text(token)
        for token in np.unique(runs.ids).tolist()
        if token != NOBODY
    }
    probability = np.exp(runs.own).astype(np.float32)
    measures = [
        Measure(
            "probability", "Probability", "probability",
            "Of the token, by the run that drew it.",
            probability, Scale("sequential", 0.0, 1.0),
        ),
    ]  # fmt: skip
    if n_runs > 1:
        ratio = (runs.own - runs.other).astype(np.float32)
        measures += [
            Measure(
                "other", "By the other run", "probability",
                "Of the token, by the other run's model on the same text.",
                np.exp(runs.other).astype(np.float32), Scale("sequential", 0.0, 1.0),
            ),
            Measure(
                "ratio", "Log ratio", "nats",
                "Log of the token's probability by the run that drew it over that by the other "
                f"run's model. Colours end at {_REACH:g}.",
                ratio, Scale.diverging(np.clip(ratio, -_REACH, _REACH)),
            ),
        ]  # fmt: skip
    return Grid(
        title="Generation with and without interventions" if n_runs > 1 else "Generation",
        axes=(
            Axis("run", RUNS[:n_runs]),
            Axis("step", tuple(str(step) for step in range(1, n_steps + 1))),
        ),
        measures=tuple(measures),
        provenance=provenance,
        top=TopTokens(runs.ids.copy(), runs.shares.copy(), texts | {str(NOBODY): ""}),
        next_tokens=next_tokens,
        states=runs.states.copy() if partial or (runs.states != EXACT).any() else None,
        drawn="texts",
    )
