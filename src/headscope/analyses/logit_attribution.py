"""Direct logit attribution: what each part of the model adds to one logit, or to a difference.

The last residual stream is a sum of what the embeddings, every attention layer and every MLP wrote.
With the scale of the final norm held at its value on this prompt, the logit is linear in that sum:

    logit(t) = sum_c  write_c . d_t / scale  +  ln_final bias . W_U[:, t]  +  b_U[t]

where d_t is W_U[:, t] with the norm's gain, and its centring, folded in. Positive numbers raise the
logit of `answer` (relative to `wrong`, where one is given). Heads split their layer's attention,
and sources split a head: pattern[dest, src] * v[src] W_O. The parts sum to the model's own logit,
and the result carries how exactly (`Grid.identity`). Works on processed and unprocessed weights.

Only direct effects count: what a part does through later layers is in those layers' rows.

Where interventions change the stream between the writes (steering, a patched stream, a layer that
runs twice), what they add is a row of its own.

A value bias counts with its head, unless TransformerLens's processing has moved it into b_O.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
Cost: one forward pass, then one product of every write with one direction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Union

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.contributions import By, Contributions, Sites
from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.model.readout import ReadOut
from headscope.results import Axis, Grid, Measure, Prompt, Scale, Term

__all__ = ["BY", "By", "LogitAttributionRequest", "beside", "run"]

BY: tuple[By, ...] = ("component", "head", "source")


@dataclass(frozen=True)
class LogitAttributionRequest:
    """Direct contributions to the logit of a token.

    Args:
        prompt: A string or token ids.
        answer: The token (text or id) whose logit is explained; None for the model's own top
            prediction at `position`.
        wrong: A token whose logit is subtracted.
        by: `component` (every position at once), `head`, or `source` (each head, split over the
            tokens it read from); the last two at `position`.
        position: Where the prediction is made; negative counts from the end.
    """

    prompt: Union[str, tuple[int, ...]]
    answer: Union[str, int, None] = None
    wrong: Union[str, int, None] = None
    by: By = "component"
    position: int = -1


def run(model: LiveModel, request: LogitAttributionRequest) -> Steps[Grid]:
    """Compute the contributions as a `Grid` whose identity says how well they sum to the logit.

    Raises:
        ModelError: The model writes to its stream, or reads it out, in a way these parts miss.
        PromptError: The prompt cannot be run, or `answer` or `wrong` is not one token.
        RequestError: A parameter is out of range, the model's heads are not its parts, or it needs
            more memory than is free.
    """
    if request.by not in BY:
        raise RequestError(f"Nothing is attributed by {request.by!r}.", f"Choose from {BY}.")
    if request.by != "component" and not model.capabilities.attention:
        raise RequestError(f"{model.name} does not show its heads.", "Use by='component'.")
    prompt = model.tokenize(request.prompt)
    position = _position(request.position, len(prompt.token_ids))
    wrong = None if request.wrong is None else model.token_id(request.wrong)
    answer = None if request.answer is None else model.token_id(request.answer)
    if answer is not None and answer == wrong:
        raise RequestError("answer and wrong are the same token.", "Leave out wrong.")
    yield Step(0.0, "Running the model")
    sites = Sites(model, len(prompt.token_ids), position, request.by)
    user_hooks = model.user_hooks()
    found = model.activations(prompt.token_ids, sites.wanted(), work=sites.working_bytes)
    yield Step(0.9, "Projecting")
    with torch.no_grad():
        path = model.read_out()
        logits = found[sites.logits].to(path.unembedding.device)
        if answer is None:
            answer = int(logits.argmax())
        parts = Contributions(path, sites, found, answer, wrong)
        build = {"component": _by_component, "head": _by_head, "source": _by_source}
        axes, values, terms = build[request.by](parts, prompt)
    label = _label(model, answer, wrong)
    return Grid(
        title=f"Direct logit attribution: {label}",
        axes=axes,
        measures=(
            Measure(
                "contribution",
                "Contribution",
                "logits",
                f"Direct contribution to {label}, the scale of the final norm held fixed.",
                values,
                Scale.diverging(values),
            ),
        ),
        provenance=model.provenance(
            "logit_attribution",
            (prompt,),
            {
                "answer": model.token_text(answer),
                "answer_id": answer,
                "wrong": None if wrong is None else model.token_text(wrong),
                "wrong_id": wrong,
                "by": request.by,
                "position": position,
            },
            sign=f"Positive raises {label}.",
            normalisation="Logits; the final norm's scale is held at its value on this prompt.",
            user_hooks=user_hooks,
            notes=_notes(model, request, path),
        ),
        identity=parts.identity(terms, label),
        next_tokens=model.next_tokens(found[sites.last_logits]),
    )


def beside(plain: Grid, acting: Grid) -> Grid:
    """The plain contributions, with the rows and terms that interventions have: there they are 0.

    Args:
        plain: Without interventions.
        acting: With them.
    """
    rows, wanted = plain.axes[0], acting.axes[0]
    if plain.identity is None or acting.identity is None:
        return plain
    known = {term.label: term.value for term in plain.identity.terms}
    terms = tuple(Term(term.label, known.get(term.label, 0.0)) for term in acting.identity.terms)
    plain = replace(plain, identity=replace(plain.identity, terms=terms))
    if rows.labels == wanted.labels:
        return plain
    measure = plain.measures[0]
    values = np.zeros((len(wanted), *plain.shape[1:]), np.float32)
    values[[wanted.labels.index(label) for label in rows.labels]] = measure.values
    return replace(
        plain, axes=(wanted, *plain.axes[1:]), measures=(replace(measure, values=values),)
    )


def _position(position: int, n_tokens: int) -> int:
    if not -n_tokens <= position < n_tokens:
        raise RequestError(
            f"There is no position {position}.", f"The prompt's are 0 to {n_tokens - 1}."
        )
    return position % n_tokens


def _label(model: LiveModel, answer: int, wrong: int | None) -> str:
    label = f"logit({model.token_text(answer)!r})"
    return label if wrong is None else f"{label} − logit({model.token_text(wrong)!r})"


def _notes(model: LiveModel, request: LogitAttributionRequest, path: ReadOut) -> tuple[str, ...]:
    notes = []
    if request.answer is None:
        notes.append("The answer is the model's own top prediction.")
    if path.transforms:
        notes.append("The logit is the one before the model's soft cap or scale.")
    if model.dtype != "float32":
        notes.append(f"Activations are {model.dtype}: the sum holds to its rounding only.")
    return tuple(notes)


Built = tuple[tuple[Axis, ...], npt.NDArray[np.float32], dict[str, float]]


def _by_component(parts: Contributions, prompt: Prompt) -> Built:
    bias = torch.full_like(parts.targets, parts.constant)
    axes = (
        Axis(
            "component",
            (*(writer.label for writer in parts.written), "bias"),
            selects="layer",
            indices=(*(writer.layer for writer in parts.written), None),
            components=(*(writer.component for writer in parts.written), None),
        ),
        Axis("position", prompt.tokens, tokens=True, selects="token"),
    )
    terms = {
        "embeddings": parts.sum_of("embeddings"),
        "attention": parts.sum_of("attention"),
        "MLPs": parts.sum_of("MLPs"),
        **parts.changed(),
        "bias": parts.constant,
    }
    return axes, _numpy(torch.stack([*parts.written.values(), bias])), terms


def _by_head(parts: Contributions, prompt: Prompt) -> Built:
    values, biases = parts.heads()
    axes = (
        Axis("layer", tuple(f"L{layer}" for layer in range(len(values))), selects="layer"),
        Axis("head", tuple(f"H{head}" for head in range(values.shape[1])), selects="head"),
    )
    return axes, _numpy(values), _split_terms(parts, float(values.sum()), biases)


def _by_source(parts: Contributions, prompt: Prompt) -> Built:
    values = parts.sources()
    _, biases = parts.heads()
    n_layers, n_heads, _ = values.shape
    terms = _split_terms(parts, float(values.sum()), biases)
    heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    if parts.model.capabilities.causal:
        values[..., parts.sites.position + 1 :] = torch.nan
    axes = (
        Axis(
            "component",
            tuple(f"L{layer}H{head}" for layer, head in heads),
            selects="layer",
            indices=tuple(layer for layer, _ in heads),
            components=tuple(f"L{layer}H{head}" for layer, head in heads),
        ),
        Axis("src", prompt.tokens, tokens=True, selects="src"),
    )
    return axes, _numpy(values.flatten(0, 1)), terms


def _split_terms(parts: Contributions, heads: float, attention_biases: float) -> dict[str, float]:
    return {
        "embeddings": parts.sum_of("embeddings"),
        "heads": heads,
        "attention biases": attention_biases,
        "MLPs": parts.sum_of("MLPs"),
        **parts.changed(),
        "bias": parts.constant,
    }


def _numpy(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    return np.array(tensor.float().cpu().numpy(), dtype=np.float32)
