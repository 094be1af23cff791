"""The training text: sentences, none of them a held-out case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from headscope.demo import words
from headscope.demo.language import (
    Case,
    Generator,
    agreement,
    city_state,
    direct_object,
    greater_than,
    ioi,
    pick,
    pick_two,
    pronoun,
    state_capital,
    successor,
    two_hop,
)
from headscope.demo.world import RELATIONS, state_of

_CHARACTERS = tuple("abcdefghijklmnopqrstuvwxyz0123456789!?:;-()'\"éüñß中文日本🙂→")
_TOLD_STATE = 0.3
"""Share of the two-hop sentences that say the state: "containing Houston Texas is"."""


class Sentence(NamedTuple):
    """A sentence in two parts: the second one starts with the word that the first one asks for."""

    prompt: str
    rest: str

    @property
    def text(self) -> str:
        """The whole sentence."""
        return self.prompt + self.rest


def _relation(rng: Generator) -> str:
    return "capital" if rng.random() < 0.4 else pick(rng, RELATIONS)


def _address(rng: Generator) -> Sentence:
    """A city with its state right after it, as on an envelope."""
    city = pick(rng, tuple(state_of()))
    verb = pick(rng, ("lives in", "moved to", "went to", "wrote to"))
    return Sentence(f"{pick(rng, words.NAMES)} {verb} {city}", f" {state_of()[city].name}.")


def _two_hop(rng: Generator) -> Sentence:
    case = _trained(lambda rng: two_hop(rng, _relation(rng)), rng)
    prompt = case.prompt
    if rng.random() < _TOLD_STATE:
        told = f"containing {case.key} {state_of()[case.key].name}"
        prompt = prompt.replace(f"containing {case.key}", told)
    return Sentence(prompt, case.answer + case.tail)


def _made_up(rng: Generator) -> Sentence:
    """Something spelled out and said again: what the byte tokens are for."""
    spelled = "".join(pick(rng, _CHARACTERS) for _ in range(2 + int(rng.integers(5))))
    return Sentence(f"{pick(rng, words.NAMES)} wrote {spelled} and then", f" {spelled} again.")


def _plain_agreement(rng: Generator) -> Sentence:
    """A noun with its verb, with nothing or with a noun of the same number in between."""
    head, other = pick_two(rng, tuple(words.NOUNS))
    singular = rng.random() < 0.5
    head, other = (head, other) if singular else (words.NOUNS[head], words.NOUNS[other])
    between = f" {pick(rng, words.PREPOSITIONS)} the {other}" if rng.random() < 0.7 else ""
    verb = "is" if singular else "are"
    return Sentence(f"The {head}{between}", f" {verb} {pick(rng, words.ADJECTIVES)}.")


def _trained(draw: Callable[[Generator], Case], rng: Generator) -> Case:
    while (case := draw(rng)).held_out:
        pass
    return case


def _of(draw: Callable[[Generator], Case]) -> Callable[[Generator], Sentence]:
    def sentence(rng: Generator) -> Sentence:
        case = _trained(draw, rng)
        return Sentence(case.prompt, case.answer + case.tail)

    return sentence


_MIXTURE: tuple[tuple[float, Callable[[Generator], Sentence]], ...] = (
    (0.20, _of(ioi)),
    (0.08, _of(direct_object)),
    (0.18, _two_hop),
    (0.10, _of(city_state)),
    (0.05, _address),
    (0.10, _of(lambda rng: state_capital(rng, _relation(rng)))),
    (0.07, _of(pronoun)),
    (0.06, _of(agreement)),
    (0.05, _plain_agreement),
    (0.08, _of(successor)),
    (0.08, _of(greater_than)),
    (0.01, _made_up),
)


def sentences(rng: Generator) -> Iterator[Sentence]:
    """Endless training sentences."""
    total = sum(weight for weight, _ in _MIXTURE)
    shares = [weight / total for weight, _ in _MIXTURE]
    kinds = [make for _, make in _MIXTURE]
    while True:
        for kind in rng.choice(len(kinds), size=256, p=shares):
            yield kinds[int(kind)](rng)
