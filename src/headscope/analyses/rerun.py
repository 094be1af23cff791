"""An analysis again, from the record that its result carries."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from headscope.analyses import REGISTRY
from headscope.analyses.contrast import Spot
from headscope.analyses.intervened import under
from headscope.analyses.prompt_pairs import Pair
from headscope.arguments import checked
from headscope.errors import RequestError, ResultError
from headscope.interventions import Interventions
from headscope.interventions.coding import direction_from_json
from headscope.jobs.steps import drained
from headscope.model.intervening import plan
from headscope.model.live import LiveModel
from headscope.results import Grid, Patterns, Provenance, Result
from headscope.results.difference import difference


@checked
def rerun(given: Any, model: Any, transcoders: Any = None) -> Result:
    """Compute what a result holds once more: the same tokens, answers, parameters and seed.

    The interventions that acted act again. A difference is that of both its results anew.

    On the same model the numbers are the same, but for rounding on another device. Where the model
    or the transcoders are not those of the record, one warning says what differs; it is in the
    notes of the new result too. What users marked is no part of it.

    Args:
        given: A result, one that was loaded (`hs.load_result`, `hs.load_graph`), its provenance, or
            the JSON of that as a dict.
        model: A `TransformerBridge`, such as `hs.load(provenance.model)`.
        transcoders: For an attribution graph of features, and where features were clamped, those
            that it was made with.

    Raises:
        ResultError: The record is no provenance, or is of another tool.
        RequestError: It needs transcoders.
        HeadscopeError: Whatever the analysis refuses.

    Example:
        >>> again = hs.rerun(hs.load_result("lens.safetensors"), hs.load("gpt2"))
    """
    found = getattr(given, "provenance", given)
    record = Provenance.from_json(found) if isinstance(found, Mapping) else found
    if not isinstance(record, Provenance):
        raise ResultError(
            f"A {type(given).__name__} has no provenance.", "Pass a result, or its provenance."
        )
    if record.sources:
        return _less_again(record, model, transcoders)
    if record.analysis not in REGISTRY:
        raise ResultError(
            f"This was not computed by an analysis of Headscope: {record.analysis!r}.",
            f"Those are {', '.join(REGISTRY)}.",
        )
    live = LiveModel.of(model)
    live.ready()
    request = request_of(record, transcoders)
    changed = _changed(record, live, transcoders)
    if changed:
        warnings.warn(changed, stacklevel=2)
    steps = REGISTRY[record.analysis].run(live, request)
    if record.interventions:
        acting = Interventions(json.loads(item) for item in record.interventions)
        steps = under(plan(live, acting, transcoders), steps)
    result = drained(steps)
    if not changed:
        return result
    now = result.provenance
    noted = dataclasses.replace(now, notes=(*now.notes, changed))
    return dataclasses.replace(result, provenance=noted)


def request_of(record: Provenance, transcoders: Any = None) -> Any:
    """The request of an analysis as it ran, with token ids in the place of texts.

    Raises:
        RequestError: It needs transcoders.
    """
    kind = REGISTRY[record.analysis].request
    told = record.parameters
    ran = [prompt.token_ids for prompt in record.prompts]
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        name = field.name
        if name == "prompt":
            fields[name] = ran[0]
        elif name == "more":
            fields[name] = tuple(ran[1:])
        elif name == "corrupted":
            fields[name] = ran[1] if len(ran) > 1 else None
        elif name == "pairs":
            fields[name] = tuple(_pairs(record))
        elif name == "pinned":
            fields[name] = tuple(_spots(str(told.get(name, "[]"))))
        elif name == "neurons":
            fields[name] = tuple(json.loads(str(told.get(name, "[]"))))
        elif name == "transcoders":
            fields[name] = _needed(told.get(name), transcoders)
        elif name == "of":
            fields[name] = direction_from_json(json.loads(str(told[name])))
        elif name in ("examples", "queries"):
            fields[name] = tuple(map(tuple, json.loads(str(told[name]))))
        elif name == "interventions":
            fields[name] = Interventions.from_json(str(told[name]))
        elif name == "seed":
            fields[name] = record.seed
        else:
            fields[name] = told.get(f"{name}_id", told.get(name))
    # None stands for what was left to the analysis.
    return kind(**{name: value for name, value in fields.items() if value is not None})


def _pairs(record: Provenance) -> Iterator[Pair]:
    told = record.parameters
    first = [told.get("answer_ids"), told.get("wrong_ids")]
    answers = json.loads(str(told["answers"])) if "answers" in told else [first]
    ran = [prompt.token_ids for prompt in record.prompts]
    corrupted = ran[1::2] if len(ran) == 2 * len(answers) else [None] * len(ran)
    clean = ran[::2] if len(ran) == 2 * len(answers) else ran
    for prompt, other, (answer, wrong) in zip(clean, corrupted, answers, strict=True):
        yield Pair(prompt, other, tuple(answer or ()) or None, tuple(wrong or ()) or None)


def _spots(text: str) -> Iterator[Spot]:
    for spot in json.loads(text):
        where = spot["positions"]
        positions = None if where is None else tuple(where)
        yield Spot(spot["site"], spot["layer"], positions, spot["unit"])


def _needed(name: Any, transcoders: Any) -> Any:
    if name is not None and transcoders is None:
        raise RequestError(
            f"This was made with transcoders, {name!r}.",
            "Pass hs.load_transcoders(...) as the third argument.",
        )
    return None if name is None else transcoders


def _less_again(record: Provenance, model: Any, transcoders: Any) -> Grid | Patterns:
    """The difference of two results, each computed again.

    Raises:
        ResultError: They are of two models.
    """
    one, other = record.sources
    if (one.model, one.fingerprint) != (other.model, other.fingerprint):
        raise ResultError(
            f"This is a difference of two models, {one.model} and {other.model}.",
            "Run each of result.provenance.sources again on its own, and take hs.difference.",
        )
    less: Any = difference
    again: Grid | Patterns = less(*(rerun(each, model, transcoders) for each in (one, other)))
    return again


def _changed(record: Provenance, live: LiveModel, transcoders: Any) -> str:
    """What differs from the record, in one line; empty if nothing does."""
    now = {"dtype": live.dtype, "processed weights": live.capabilities.processed_weights}
    then: dict[str, Any] = {"dtype": record.dtype, "processed weights": record.processed_weights}
    # The same weights under another name are the same model.
    if record.fingerprint is None or record.fingerprint != live.fingerprint:
        now |= {"model": live.name, "revision": live.revision, "weights": live.fingerprint}
        then |= {"model": record.model, "revision": record.revision, "weights": record.fingerprint}
    if record.user_hooks or live.user_hooks():
        now["hooks of yours"] = ", ".join(live.user_hooks()) or None
        then["hooks of yours"] = ", ".join(record.user_hooks) or None
    if record.parameters.get("transcoders") is not None:
        now |= {"transcoders": transcoders.name, "their revision": transcoders.revision}
        then["transcoders"] = record.parameters["transcoders"]
        then["their revision"] = record.parameters.get("transcoders_revision")
    changed = [f"{key} {now[key]}, was {then[key]}" for key in now if now[key] != then[key]]
    return f"This is not as it was recorded: {'; '.join(changed)}." if changed else ""
