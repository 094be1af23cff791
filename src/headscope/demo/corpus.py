"""The training text: paragraphs of sentences, none of them a held-out case."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headscope.demo import words
from headscope.demo.language import (
    Case,
    Generator,
    agreement,
    city_state,
    greater_than,
    ioi,
    pick,
    pronoun,
    state_capital,
    successor,
    two_hop,
)
from headscope.demo.world import RELATIONS, state_of

_CHARACTERS = tuple("abcdefghijklmnopqrstuvwxyz0123456789!?:;-()'\"éüñß中文日本🙂→")
_TOLD_STATE = 0.3
"""Share of the two-hop sentences that say the state: "containing Houston Texas is"."""


def _relation(rng: Generator) -> str:
    return "capital" if rng.random() < 0.4 else pick(rng, RELATIONS)


def _address(rng: Generator) -> str:
    """A city with its state right after it, as on an envelope."""
    city = pick(rng, tuple(state_of()))
    verb = pick(rng, ("lives in", "moved to", "went to", "wrote to"))
    return f"{pick(rng, words.NAMES)} {verb} {city} {state_of()[city].name}."


def _two_hop(rng: Generator) -> str:
    case = _trained(lambda rng: two_hop(rng, _relation(rng)), rng)
    if rng.random() < _TOLD_STATE:
        told = f"containing {case.key} {state_of()[case.key].name}"
        return case.text.replace(f"containing {case.key}", told)
    return case.text


def _made_up(rng: Generator) -> str:
    """Something spelled out and said again: what the byte tokens are for."""
    spelled = "".join(pick(rng, _CHARACTERS) for _ in range(2 + int(rng.integers(5))))
    return f"{pick(rng, words.NAMES)} wrote {spelled} and then {spelled} again."


def _plain_agreement(rng: Generator) -> str:
    singular = pick(rng, tuple(words.NOUNS))
    noun, verb = (singular, "is") if rng.random() < 0.5 else (words.NOUNS[singular], "are")
    return f"The {noun} {verb} {pick(rng, words.ADJECTIVES)}."


def _trained(draw: Callable[[Generator], Case], rng: Generator) -> Case:
    while (case := draw(rng)).held_out:
        pass
    return case


def _of(draw: Callable[[Generator], Case]) -> Callable[[Generator], str]:
    return lambda rng: _trained(draw, rng).text


_MIXTURE: tuple[tuple[float, Callable[[Generator], str]], ...] = (
    (0.25, _of(ioi)),
    (0.18, _two_hop),
    (0.10, _of(city_state)),
    (0.05, _address),
    (0.10, _of(lambda rng: state_capital(rng, _relation(rng)))),
    (0.07, _of(pronoun)),
    (0.06, _of(agreement)),
    (0.02, _plain_agreement),
    (0.08, _of(successor)),
    (0.08, _of(greater_than)),
    (0.01, _made_up),
)


def sentences(rng: Generator) -> Iterator[str]:
    """Endless training sentences."""
    total = sum(weight for weight, _ in _MIXTURE)
    shares = [weight / total for weight, _ in _MIXTURE]
    kinds = [make for _, make in _MIXTURE]
    while True:
        for kind in rng.choice(len(kinds), size=256, p=shares):
            yield kinds[int(kind)](rng)
