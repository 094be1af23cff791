"""The kinds of intervention. Each is plain data: what is done, where, and whether it is on.

`positions` are indices into the tokens of the run, negative ones from the end of the prompt; None
is every position, tokens that are generated included. A prompt is text, or token ids that run as
they are; a component is written as in `headscope.interventions.targets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Union

from headscope.arguments import fit
from headscope.errors import RequestError
from headscope.interventions import targets
from headscope.interventions.directions import Direction

Text = Union[str, tuple[int, ...]]
Positions = Union[tuple[int, ...], None]
Part = Literal["block", "attn", "mlp"]
PARTS: tuple[Part, ...] = ("block", "attn", "mlp")


@dataclass(frozen=True)
class Intervention:
    """One change of how a model computes.

    Args:
        on: Whether it acts; one that is off stays in its place in the list.
    """

    kind: ClassVar[str]
    on: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.on, bool):
            raise RequestError(f"on is {self.on!r}.", "Pass on=True or on=False.")
        for name in (of.name for of in fields(self)):
            if (check := _CHECKS.get(name)) is not None:
                object.__setattr__(self, name, check(name, getattr(self, name)))

    def __str__(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Zero(Intervention):
    """Zero ablation: the component's activation is 0."""

    kind: ClassVar[str] = "zero"
    component: str
    positions: Positions = None

    def __str__(self) -> str:
        return f"{self.component} := 0{_at(self.positions)}"


@dataclass(frozen=True)
class Mean(Intervention):
    """Mean ablation: the component's activation is its mean over all tokens of `prompts`.

    Of each prompt its beginning-of-sequence token is left out, which other positions are not like.
    """

    kind: ClassVar[str] = "mean"
    component: str
    prompts: tuple[Text, ...]
    positions: Positions = None

    def __str__(self) -> str:
        n = len(self.prompts)
        of = "1 prompt" if n == 1 else f"{n} prompts"
        return f"{self.component} := its mean over {of}{_at(self.positions)}"


@dataclass(frozen=True)
class Patch(Intervention):
    """The component's activation is that of the plain model on another prompt.

    Tokens meet as in activation patching (the longest common subsequence); a token that meets none
    is left as it is, and so are tokens that are generated.
    """

    kind: ClassVar[str] = "patch"
    component: str
    prompt: Text
    positions: Positions = None

    def __str__(self) -> str:
        return f"{self.component} := from {_text(self.prompt)}{_at(self.positions)}"


@dataclass(frozen=True)
class Scale(Intervention):
    """The component's activation times `factor`."""

    kind: ClassVar[str] = "scale"
    component: str
    factor: float
    positions: Positions = None

    def __str__(self) -> str:
        return f"{self.component} × {self.factor:g}{_at(self.positions)}"


@dataclass(frozen=True)
class KnockOut(Intervention):
    """A head does not look from `dest` to `src`; its attention goes to the others in proportion.

    That is what masking the score does (Geva et al. 2023, "attention knockout"). A token with
    nothing left to attend to attends to nothing: its z is 0.

    Args:
        head: `L9H6`, or `L9` for every head of a layer.
        dest: The token that looks; None for every one.
        src: The token that is looked at; None for every one.
    """

    kind: ClassVar[str] = "knock_out"
    head: str
    dest: int | None
    src: int | None

    def __str__(self) -> str:
        dest, src = ("any" if p is None else str(p) for p in (self.dest, self.src))
        return f"{self.head} cut from {dest} to {src}"


@dataclass(frozen=True)
class FreezePattern(Intervention):
    """A head's attention pattern is that of the plain model on `prompt`.

    The run must have as many tokens; rows of tokens that are generated are the model's own.
    """

    kind: ClassVar[str] = "freeze_pattern"
    head: str
    prompt: Text

    def __str__(self) -> str:
        return f"{self.head} attends as on {_text(self.prompt)}"


@dataclass(frozen=True)
class Clamp(Intervention):
    """A neuron's activation, or that of a transcoder's feature, is `value`.

    A feature is clamped in the real model: what its MLP writes changes by its decoder row times
    the difference of activations, and the rest of the MLP's output stays.

    Args:
        unit: `L3N17` or `L3F212`.
        value: The activation, in the unit's own scale.
        positions: See the module.
    """

    kind: ClassVar[str] = "clamp"
    unit: str
    value: float
    positions: Positions = None

    def __str__(self) -> str:
        return f"{self.unit} := {self.value:g}{_at(self.positions)}"


@dataclass(frozen=True)
class Steer(Intervention):
    """`strength` times a direction is added to the residual stream before block `layer`.

    Turner et al. 2023 ("activation addition"), Rimsky et al. 2024 (differences of means). The
    direction is not normalised: 1 adds the whole difference.
    """

    kind: ClassVar[str] = "steer"
    layer: int
    direction: Direction
    strength: float = 1.0
    positions: Positions = None

    def __str__(self) -> str:
        return f"L{self.layer} + {self.strength:g} × ({self.direction}){_at(self.positions)}"


@dataclass(frozen=True)
class Skip(Intervention):
    """Layers are left out: the whole block, or only what its attention or its MLP writes."""

    kind: ClassVar[str] = "skip"
    layers: tuple[int, ...]
    part: Part = "block"

    def __str__(self) -> str:
        what = {"block": "block", "attn": "attention of", "mlp": "MLP of"}[self.part]
        return f"skip {what} {', '.join(f'L{layer}' for layer in self.layers)}"


@dataclass(frozen=True)
class Swap(Intervention):
    """Two blocks run in each other's place. Components keep the names of their weights."""

    kind: ClassVar[str] = "swap"
    first: int
    second: int

    def __str__(self) -> str:
        return f"swap L{self.first} and L{self.second}"


@dataclass(frozen=True)
class Repeat(Intervention):
    """A block runs `times` times, one after the other."""

    kind: ClassVar[str] = "repeat"
    layer: int
    times: int = 2

    def __str__(self) -> str:
        return f"L{self.layer} {self.times} times"


KINDS: dict[str, type[Intervention]] = {
    kind.kind: kind
    for kind in (
        Zero, Mean, Patch, Scale, KnockOut, FreezePattern, Clamp, Steer, Skip, Swap, Repeat,
    )
}  # fmt: skip


def _at(positions: Positions) -> str:
    return "" if positions is None else f" at {', '.join(map(str, positions))}"


def _text(prompt: Text) -> str:
    return repr(prompt) if isinstance(prompt, str) else f"{len(prompt)} tokens"


# What each field may hold, by its name: the same name means the same everywhere.


def _component(_name: str, value: Any) -> str:
    return targets.checked_target(value)


def _head(_name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{value!r} is no head.", "Write L9H6, or L9 for every head.")
    targets.heads_of(value)
    return value.strip()


def _unit(_name: str, value: Any) -> str:
    if not isinstance(value, str) or not (targets.neuron(value) or targets.feature(value)):
        raise RequestError(f"{value!r} is no unit.", "Write a neuron, L3N17, or a feature, L3F212.")
    return value


def _number(name: str, value: Any) -> float:
    return float(fit(name, value, float))


def _whole(name: str, value: Any, least: int = 0) -> int:
    found = int(fit(name, value, int))
    if found < least:
        raise RequestError(f"{name} is {found}.", f"Pass a whole number from {least}.")
    return found


def _place(name: str, value: Any) -> int | None:
    return None if value is None else _whole(name, value, least=-(10**9))


def _positions(name: str, value: Any) -> Positions:
    given = fit(name, value, Union[int, Sequence[int], None])
    if given is None or isinstance(given, int):
        return None if given is None else (given,)
    if not given:
        raise RequestError(f"{name} is empty.", "Pass indices, positions=[2, -1], or None for all.")
    return tuple(given)


def _layers(name: str, value: Any) -> tuple[int, ...]:
    given = fit(name, value, Union[int, Sequence[int]])
    found = tuple(dict.fromkeys((given,) if isinstance(given, int) else given))
    if not found or min(found) < 0:
        raise RequestError(f"{name} is {value!r}.", "Pass numbers of layers: layers=[3, 4].")
    return found


def _prompt(name: str, value: Any) -> Text:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and value:
        return tuple(_whole(name, token) for token in value)
    raise RequestError(f"{name} is {value!r}.", "Pass a text, or a list of token ids.")


def _prompts(name: str, value: Any) -> tuple[Text, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not given:
        raise RequestError(f"{name} is {value!r}.", "Pass texts: prompts=['...', '...'].")
    return tuple(_prompt(name, prompt) for prompt in given)


def _part(_name: str, value: Any) -> Part:
    if value not in PARTS:
        raise RequestError(f"A layer has no part {value!r}.", f"Choose from {PARTS}.")
    return value  # type: ignore[no-any-return]


def _direction(_name: str, value: Any) -> Direction:
    if not isinstance(value, Direction):
        raise RequestError(
            f"{value!r} is no direction.",
            "Pass hs.Means(toward, away), hs.Token(text), a sum of such, or hs.Vector(values).",
        )
    return value


_CHECKS: dict[str, Any] = {
    "component": _component, "head": _head, "unit": _unit, "factor": _number, "value": _number,
    "strength": _number, "dest": _place, "src": _place, "positions": _positions,
    "prompt": _prompt, "prompts": _prompts, "layers": _layers, "layer": _whole, "first": _whole,
    "second": _whole, "times": lambda name, value: _whole(name, value, 2), "part": _part,
    "direction": _direction,
}  # fmt: skip
