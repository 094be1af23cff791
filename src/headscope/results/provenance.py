"""Where a result came from: enough to run it again and to read its sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from headscope.errors import ResultError

JsonScalar = Union[str, int, float, bool, None]
# One level of nesting is enough for every request; deeper would hide from diff and table.
JsonValue = Union[JsonScalar, tuple[JsonScalar, ...]]


@dataclass(frozen=True)
class Prompt:
    """A prompt exactly as it ran.

    Args:
        text: What the user typed ("" when token ids were given).
        tokens: The text of every token that ran, the beginning-of-sequence token included.
        token_ids: Their ids, same length.
    """

    text: str
    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]


@dataclass(frozen=True)
class Provenance:
    """The record that travels with every number.

    Args:
        analysis: Registry name of the analysis.
        model: Model name, as the bridge knows it.
        architecture: Class of the wrapped model, such as `GPT2LMHeadModel`.
        dtype: Parameter dtype, such as `float32`.
        device: Where it ran, such as `cpu`.
        processed_weights: Whether TransformerLens had folded and centred the weights.
        prompts: The prompts as they ran (clean first, then corrupted, where there are two).
        parameters: The request's other fields.
        sign: What a positive number means.
        normalisation: What 0 and 1 mean, or which norm was applied.
        versions: Package name to version.
        revision: Hub revision, where known.
        fingerprint: Of the weights, by a sample of them; equal for the same model elsewhere.
        seed: Seed of anything random.
        notes: Whatever the reader must know: fallbacks, truncations, estimates.
        user_hooks: Hook points (or plain modules) on which hooks of the user's acted.
        interventions: Those that acted, each as JSON, in order.
        sources: The records of the results it was made of: for a difference the one that was taken
            away, then the other.
    """

    analysis: str
    model: str
    architecture: str
    dtype: str
    device: str
    processed_weights: bool
    prompts: tuple[Prompt, ...]
    parameters: Mapping[str, JsonValue]
    sign: str
    normalisation: str
    versions: Mapping[str, str]
    revision: str | None = None
    fingerprint: str | None = None
    seed: int | None = None
    notes: tuple[str, ...] = field(default=())
    user_hooks: tuple[str, ...] = field(default=())
    interventions: tuple[str, ...] = field(default=())
    sources: tuple[Provenance, ...] = field(default=())

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Provenance:
        """What was written as JSON: lists become tuples again.

        Raises:
            ResultError: It is no provenance.
        """
        try:
            prompts = tuple(Prompt(**_plain(prompt)) for prompt in found["prompts"])
            parameters = _plain(found["parameters"])
            sources = tuple(map(cls.from_json, found.get("sources", ())))
            parts = {"prompts": prompts, "parameters": parameters, "sources": sources}
            return cls(**_plain(found) | parts)
        except (AttributeError, KeyError, TypeError) as broken:
            raise ResultError(
                f"This is no provenance: {broken!r:.80}.", "Pass what result.provenance holds."
            ) from broken


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
