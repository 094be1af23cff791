"""Self-repair: how much of a head's direct effect later layers restore when it is ablated.

With d the answer's direction (see `logit_attribution`), write_c what component c writes at the
position, s the final norm's divisor, and primes for the run in which head h is ablated:

    total    = logit' - logit
    direct   = (write'_h - write_h) . d / s
    repair_c = (write'_c - write_c) . d / s          for every attention and MLP behind h
    norm     = stream' . d (1 / s' - 1 / s)
    total    = direct + sum of repair_c + norm

Everything is a change of the logit (difference) by the ablation. Where `direct` is negative the
head pushed the answer, and positive repairs are self-repair; the norm repairs too, by dividing by
less. `share` is what of the direct effect is restored: -(total - direct) / direct. Interventions
act in both runs: heads are ablated on top of them.

Sources: Rushing & Nanda 2024, "Explorations of Self-Repair in Language Models"; McGrath et al.
2023, "The Hydra Effect".
Cost: one run per head, from its layer on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union, cast

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.intervened import breaks_stream, moves_layers, refuse
from headscope.components import Component, parse_components
from headscope.errors import ModelError, RequestError
from headscope.interventions import Interventions
from headscope.jobs.steps import Step, Steps
from headscope.model.intervening import plan
from headscope.model.intervening.running import Baseline, Run
from headscope.model.live import LiveModel
from headscope.model.readout import ReadOut
from headscope.model.runs import Site
from headscope.results import (
    CELL_STATES,
    Axis,
    Grid,
    Identity,
    Measure,
    NextToken,
    Prompt,
    Provenance,
    Scale,
    Term,
)

Text = Union[str, tuple[int, ...]]
#: How far the parts may miss the total, as a share of the largest; and what of the largest logit
#: counts as such, where an ablation changes next to nothing.
_TOLERANCE, _ROUNDING = 0.05, 0.01
_NOT_APPLICABLE, _WAITING, _EXACT = (
    CELL_STATES.index(state) for state in ("not_applicable", "waiting", "exact")
)


@dataclass(frozen=True)
class SelfRepairRequest:
    """What comes of ablating heads.

    Args:
        prompt: Text or token ids.
        answer: The token (text or id) whose logit counts; None for the top prediction.
        wrong: A token whose logit is subtracted.
        heads: Names, `L9H6`; none for every head.
        corrupted: A prompt whose run's head output takes the head's place (resample ablation);
            None for zero ablation.
        position: Where the prediction is made; negative counts from the end.
    """

    prompt: Text
    answer: Union[str, int, None] = None
    wrong: Union[str, int, None] = None
    heads: tuple[str, ...] = ()
    corrupted: Union[Text, None] = None
    position: int = -1


def run(model: LiveModel, request: SelfRepairRequest) -> Steps[Grid]:
    """Ablate each head and split what follows.

    Returns:
        A grid `[head, part]` whose identity is total = direct + repairs + norm.

    Raises:
        ModelError: What the model's layers write does not add up to its stream.
        PromptError: The prompt cannot be run, or an answer is not one token.
        RequestError: There is no such head or position; or interventions act under which parts do
            not add up.
    """
    refuse(
        model.acting,
        lambda item: moves_layers(item) or breaks_stream(item, model.layout),
        "self-repair needs layers in their places, and a stream that is the sum of what they write",
        "Switch it off here.",
    )
    prompt = model.tokenize(request.prompt)
    n = len(prompt.token_ids)
    if not -n <= request.position < n:
        raise RequestError(f"There is no position {request.position}.", f"Use {-n} to {n - 1}.")
    position = request.position % n
    heads = _heads(model, request.heads)
    yield Step(0.0, "Running the model")
    user_hooks = model.user_hooks()
    baseline = Baseline(model, prompt.token_ids)
    names = _names(model)
    plain = baseline.run(plan(model, Interventions()), [position], names.values())
    # Where nothing changes only the last block runs again: the others' come from a whole run.
    plain = _completed(model, prompt, plain, names)
    answer = int(plain.logits[0].argmax())
    answer = answer if request.answer is None else model.token_id(request.answer)
    wrong = None if request.wrong is None else model.token_id(request.wrong)
    if answer == wrong:
        raise RequestError("answer and wrong are the same token.", "Leave out wrong.")
    path = model.read_out()
    path.check(plain.seen[names["stream"]][position : position + 1], plain.logits)
    split = _Split(path, plain, names, position, answer, wrong)
    label = f"logit({model.token_text(answer)!r})"
    label += "" if wrong is None else f" − logit({model.token_text(wrong)!r})"
    other = () if request.corrupted is None else (model.tokenize(request.corrupted),)
    provenance = model.provenance(
        "self_repair",
        (prompt, *other),
        {
            "answer": model.token_text(answer), "answer_id": answer,
            "wrong": None if wrong is None else model.token_text(wrong), "wrong_id": wrong,
            "heads": tuple(map(str, heads)), "position": position,
            "ablation": "resample" if other else "zero",
        },
        sign=f"Positive: the ablation raises {label} by this path.",
        normalisation="Logits; parts are divided by the final norm's scale on the prompt.",
        user_hooks=user_hooks,
        notes=["The logit is the one before the model's soft cap or scale."]
        if path.transforms
        else [],
    )  # fmt: skip
    next_tokens = model.next_tokens(plain.logits[0])
    values = np.full((len(heads), len(split.labels)), np.nan, np.float32)

    least = _ROUNDING * float(plain.logits.abs().max())

    def grid(done: int) -> Grid:
        identity = _identity(values[:done], label, least)
        return _grid(provenance, values, done, split.labels, label, identity, next_tokens)

    for number, head in enumerate(heads):
        changes = Interventions()
        if request.corrupted is None:
            changes = changes.zero(str(head))
        else:
            changes = changes.patch(str(head), request.corrupted)
        changed = baseline.run(plan(model, changes), [position], names.values())
        values[number] = split.of(changed, head.layer or 0, model.layout.parallel)
        yield Step((number + 1) / len(heads), f"Ablating {head}", grid(number + 1))
    return grid(len(heads))


def _grid(
    provenance: Provenance,
    values: npt.NDArray[np.float32],
    done: int,
    parts: tuple[str, ...],
    label: str,
    identity: Identity,
    next_tokens: tuple[NextToken, ...],
) -> Grid:
    """What is known once the first `done` heads have been ablated."""
    states = np.where(np.isfinite(values), _EXACT, _NOT_APPLICABLE).astype(np.uint8)
    states[done:] = _WAITING
    heads = cast("tuple[str, ...]", provenance.parameters["heads"])
    return Grid(
        title=f"Self-repair: {label} when a head is ablated",
        axes=(
            Axis("ablated", heads, components=heads),
            Axis("part", parts, components=tuple(map(_component, parts))),
        ),
        measures=(
            Measure(
                "change", "Change", "logits",
                f"Change of {label} by the ablation: in total, directly, and through what each "
                "later layer and the final norm do differently. Later changes of the opposite "
                "sign to the direct one are self-repair.",
                values.copy(), Scale.diverging(values),
            ),
            _share(values, done),
        ),
        provenance=provenance,
        states=states,
        identity=identity,
        next_tokens=next_tokens,
    )  # fmt: skip


def _heads(model: LiveModel, given: Sequence[str]) -> list[Component]:
    if not given:
        return [
            Component("head", layer, head)
            for layer in range(model.n_layers)
            for head in range(model.n_heads)
        ]
    found = [model.layout.resolve(part) for part in parse_components(given)]
    for part in found:
        if part.kind != "head" or part.input or part.head is None:
            raise RequestError(f"{part} is no head.", "Name heads: heads=['L9H6'].")
    return found


def _names(model: LiveModel) -> dict[str, str]:
    """Label of each part to the hook of what it writes, in the order in which they run."""
    names = {}
    for layer in range(model.n_layers):
        names[f"attn L{layer}"] = f"blocks.{layer}.hook_attn_out"
        if f"blocks.{layer}.hook_mlp_out" in model.bridge.hook_dict:
            names[f"MLP L{layer}"] = f"blocks.{layer}.hook_mlp_out"
    names["stream"] = f"blocks.{model.n_layers - 1}.hook_resid_post"
    return names


def _component(part: str) -> str | None:
    """The component that a part of the change is written by."""
    kind, _, layer = part.partition(" L")
    return {"attn": f"L{layer}.attn_out", "MLP": f"MLP{layer}"}.get(kind)


def _completed(model: LiveModel, prompt: Prompt, run: Run, names: dict[str, str]) -> Run:
    missing = [Site(name) for name in names.values() if name not in run.seen]
    found = model.activations(prompt.token_ids, missing) if missing else {}
    return Run(run.logits, run.seen | {site.hook: value for site, value in found.items()})


class _Split:
    """The change of a logit, part by part."""

    def __init__(
        self, path: ReadOut, plain: Run, names: dict[str, str], position: int, answer: int,
        wrong: int | None,
    ) -> None:  # fmt: skip
        self._path, self._names, self._position = path, names, position
        self._plain = plain
        self._answer, self._wrong = answer, wrong
        self._direction = path.direction(answer, wrong)
        self._scale = path.scale(self._at(plain, names["stream"]))
        self.labels = ("total", "direct", *(n for n in names if n != "stream"), "final norm")

    def of(self, changed: Run, layer: int, parallel: bool) -> npt.NDArray[np.float32]:
        """`[part]`; parts that run before the head, or beside it, are NaN."""
        row = dict.fromkeys(self.labels, np.nan)
        for label, name in self._names.items():
            if label == "stream":
                continue
            kind, at = label.split(" L")
            if int(at) > layer or (int(at) == layer and kind == "MLP" and not parallel):
                row[label] = self._moved(changed, name) / float(self._scale)
        row["direct"] = self._moved(changed, f"blocks.{layer}.hook_attn_out") / float(self._scale)
        before, after = (self._at(run, self._names["stream"]) for run in (self._plain, changed))
        then = self._path.scale(after)
        row["final norm"] = float(after @ self._direction * (1 / then - 1 / self._scale))
        # The model's own logits, where nothing comes between them and the unembedding.
        row["total"] = (
            float(after @ self._direction / then - before @ self._direction / self._scale)
            if self._path.transforms
            else self._logit(changed) - self._logit(self._plain)
        )
        return np.array([*row.values()], np.float32)

    def _logit(self, run: Run) -> float:
        less = 0.0 if self._wrong is None else float(run.logits[0, self._wrong])
        return float(run.logits[0, self._answer]) - less

    def _moved(self, changed: Run, name: str) -> float:
        return float((self._at(changed, name) - self._at(self._plain, name)) @ self._direction)

    def _at(self, run: Run, name: str) -> torch.Tensor:
        return run.seen[name][self._position].to(self._path.unembedding.device).float()


def _share(values: npt.NDArray[np.float32], done: int) -> Measure:
    direct = values[:, 1:2]
    small = ~(np.abs(direct) >= 1e-3 * np.abs(values[:done, :1]).max(initial=1e-9))
    share = np.where(small, np.nan, -values / np.where(small, 1, direct)).astype(np.float32)
    share[:, 0] = np.where(small[:, 0], np.nan, 1 + share[:, 0])
    share[:, 1] = np.nan
    bounded = np.where(np.abs(share) <= 2, share, np.nan)
    return Measure(
        "share", "Share restored", "",
        "What of the direct effect is restored: by a part, and (total) by all of them, "
        "1 - total / direct. Not given where the direct effect is small.",
        share, Scale.diverging(bounded),
    )  # fmt: skip


def _identity(values: npt.NDArray[np.float32], label: str, least: float) -> Identity:
    """Of the head with the largest direct effect; checked for every head.

    Raises:
        ModelError: The parts are not parts of the whole.
    """
    parts = np.nansum(values[:, 1:], 1)
    error = np.abs(parts - values[:, 0])
    largest = int(np.abs(values[:, 1]).argmax())
    if not error.max() <= _TOLERANCE * max(np.abs(values[:, :2]).max(), least):
        raise ModelError(
            "What this model's layers write does not add up to its stream "
            f"(off by {error.max():.2g}).",
            "Self-repair needs that; activation patching works.",
        )
    repaired = float(np.nansum(values[largest, 2:-1]))
    return Identity(
        (
            Term("direct", float(values[largest, 1])),
            Term("later layers", repaired),
            Term("final norm", float(values[largest, -1])),
        ),
        Term(f"change of {label}", float(values[largest, 0])),
        float(error.max()),
        len(values),
    )
