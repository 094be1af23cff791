"""Path patching: what one component tells another one directly, and what comes of it.

Base and source run, direction and metric are those of activation patching. For a sender and a set
of receivers:

1.  The base is run with the sender's output replaced by its value in the source run, and every
    other attention head's output held at its value in the base. MLPs are held too
    (`freeze_mlps=True`: the direct path along the residual stream alone, as Goldowsky-Dill et al.
    define it) or recomputed (`freeze_mlps=False`: paths through MLPs count, as Wang et al. do it).
    Of that run is taken what each receiver makes of what it reads: a head's queries, keys or
    values, what an MLP puts out, the final stream for `logits`.
2.  The base is run with these values alone put in, and everything else recomputed. With m the
    metric of that run,

    effect(path) = (m(patched) - m(base)) / (m(source) - m(base))

so that 0 is the base and 1 the source run. For a set of pairs numerator and denominator are means
over the set, and the 95 % interval is a bootstrap over its pairs.

With heads held nothing passes between positions: a sender that is replaced at `positions` reaches
its receivers at these positions and no others. All of a receiver's values are put in, at every
position: of two receivers the upper one hears nothing of what the lower one changes. Where query
heads share key-value heads, receivers of keys and values are the shared ones. Interventions act in
all of these runs; what is held or put in comes after them.

Sources: Wang et al. 2022, "Interpretability in the Wild", appendix B; Goldowsky-Dill et al. 2023,
"Localizing Model Behavior with Path Patching".
Cost: two forward passes; then, at the positions where the two runs differ, for each sender (all
receivers at once) the block it is in and those that receive, or all blocks between where MLPs are
recomputed; then for each cell the blocks from the receiver up.
"""

from __future__ import annotations

import time

from headscope.analyses import effects
from headscope.analyses.effects import EffectGrid
from headscope.analyses.map_trials import WAITING
from headscope.analyses.metrics import TITLES, UNITS
from headscope.analyses.path_study import PathPatchingRequest, PathStudy
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.results import Grid, Provenance, Term

__all__ = ["PathPatchingRequest", "PathStudy", "run", "steps"]

_PARTIAL_S = 0.25


def run(model: LiveModel, request: PathPatchingRequest) -> Steps[Grid]:
    """Compute the map as a `Grid`.

    Rows are layers, columns the heads of a layer (for receivers: their q, k and v), its MLP, and
    the embedding or the logits. `states` says which cells are exact, waiting, or not applicable:
    no receiver reads what that component writes.

    Raises:
        ModelError: The model is not ready, or its logits are not finite.
        PromptError: A prompt or an answer cannot be used.
        RequestError: The request contradicts itself, names a component that is not there, or there
            is nothing to normalise by.
    """
    return (yield from steps(PathStudy(model, request)))


def steps(study: PathStudy) -> Steps[Grid]:
    """Everything that `run` does, on a study that others may look into meanwhile."""
    yield Step(0.0, "Reading the prompts")
    for done in study.on_one_model(study.prepare()):
        yield Step(0.01 * done, "Reading the prompts")
    for done in study.on_one_model(study.record()):
        yield Step(0.01 + 0.04 * done, "Running the prompts")
    for done in study.on_one_model(study.lay_out()):
        yield Step(0.05, f"Finding what is sent, {done:.0%}")
    shown = time.perf_counter()
    yield Step(0.05, study.outlook(), _grid(study))
    for _ in study.on_one_model(study.calibrate()):
        yield Step(0.05, study.outlook())
    yield Step(0.05, study.forecast())
    for done in study.on_one_model(study.compute()):
        partial = None
        if time.perf_counter() - shown > _PARTIAL_S:
            partial, shown = _grid(study), time.perf_counter()
        yield Step(0.05 + 0.95 * done, study.outlook(), partial)
    return _grid(study)


def _grid(study: PathStudy) -> Grid:
    request = study.request
    # One of many paths seldom carries more.
    made = EffectGrid(study, study.map.rows, study.map.columns, reach=0.25)
    change = study.values - study.base_metric[:, None]
    return Grid(
        title=f"Path patching: {study.map.title}, {request.direction}",
        axes=made.axes,
        measures=(
            made.effect("effect", "Effect", "", _definition(study), change),
            made.measure(
                "metric",
                f"{TITLES[request.metric]} of the patched run",
                UNITS[request.metric],
                "The metric of the patched run itself.",
                study.values,
                signed=False,
            ),
            *made.interval(change, ""),
        ),
        provenance=_provenance(study),
        next_tokens=study.next_tokens,
        states=made.states,
        alignment=effects.alignment(study, request.direction, request.alignment),
        baselines=_baselines(study),
    )


def _definition(study: PathStudy) -> str:
    request = study.request
    between = "direct" if request.freeze_mlps else "direct, or through MLPs"
    where = "" if request.positions is None else f", at positions {list(request.positions)}"
    set_of_pairs = " The divisor is the mean difference over the set, for every pair."
    return (
        f"The path from sender to receivers alone ({between}{where}). "
        + effects.normalised(request.metric, request.direction)
        + (set_of_pairs if len(study.experiments) > 1 else "")
    )


def _baselines(study: PathStudy) -> tuple[Term, ...]:
    values = float(study.base_metric.mean()), float(study.source_metric.mean())
    names = effects.into_and_from(study.request.direction)
    terms = [Term(name, value) for name, value in zip(names, values, strict=True)]
    return tuple(sorted(terms, key=lambda term: term.label != "clean"))


def _provenance(study: PathStudy) -> Provenance:
    request = study.request
    return study.model.provenance(
        "path_patching",
        effects.prompts(study),
        {
            "sender": request.sender or None,
            "receivers": request.receivers or None,
            "freeze_mlps": request.freeze_mlps,
            "positions": request.positions,
            "direction": request.direction,
            "metric": request.metric,
            **effects.answers(study),
            "position": request.position,
            "pairs": len(request.pairs),
            "alignment": request.alignment,
        },
        sign="Positive moves the metric from the run patched into towards the run patched from.",
        normalisation=_definition(study),
        user_hooks=study.user_hooks,
        seed=request.seed,
        notes=_notes(study),
    )


def _notes(study: PathStudy) -> tuple[str, ...]:
    found = effects.notes(study)
    if study.layout.n_kv_heads < study.layout.n_heads:
        found.append(
            f"{study.layout.group} query heads share each key-value head: keys and values are "
            "received by all of them (L0KV0.k)."
        )
    waiting = int((study.states == WAITING).sum())
    if waiting:
        found.append(f"{waiting} cells are not computed.")
    return tuple(found)
