"""Sentences of the synthetic world: each task draws cases, and each case is a sentence with a gap.

A case is either in training or held out, never both: it is held out by the `key` of what makes its
prompt (the pair of names, the city and the template, where the series starts), through a hash, so
the split is the same everywhere and leaks nothing through another template. Two-hop cases are
stricter: the key is the city alone, and the first city of each state is held out from all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from headscope.demo import words
from headscope.demo.world import RELATIONS, State, state_of, states

Generator = np.random.Generator
Item = TypeVar("Item")

HELD_OUT_SHARE = 8
"""One case in this many is held out."""
_ALWAYS_HELD_OUT = "John Mary"
"""The pair of names in the best-known prompt of all."""


@dataclass(frozen=True)
class Case:
    """A sentence whose next word is `answer` after `prompt`, and a twin that asks for `wrong`.

    Args:
        answer: The next word, with its leading space where the token has one.
        wrong: A plausible other word; the twin's answer, where the twin has one.
        corrupted: The twin prompt, of equal length in tokens.
        key: What the training split is decided on.
        tail: How the sentence goes on after the answer.
        legal: Every right next word, where there are several.
    """

    task: str
    prompt: str
    answer: str
    wrong: str
    corrupted: str
    key: str
    tail: str = "."
    legal: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole sentence."""
        return self.prompt + self.answer + self.tail

    @property
    def held_out(self) -> bool:
        """Whether training never sees this case."""
        if self.task == "two_hop":
            return self.key in held_out_cities()
        digest = hashlib.sha256(f"{self.task}/{self.key}".encode()).digest()
        by_chance = int.from_bytes(digest[:8], "big") % HELD_OUT_SHARE == 0
        return by_chance or self.key == _ALWAYS_HELD_OUT


def held_out_cities() -> frozenset[str]:
    """The cities that no two-hop sentence of the training text names: one of each state."""
    return frozenset(state.cities[0] for state in states())


def pick(rng: Generator, options: Sequence[Item]) -> Item:
    """One of `options`, uniformly."""
    return options[int(rng.integers(len(options)))]


def pick_two(rng: Generator, options: Sequence[Item]) -> tuple[Item, Item]:
    """Two different `options`, in random order."""
    first = int(rng.integers(len(options)))
    second = (first + 1 + int(rng.integers(len(options) - 1))) % len(options)
    return options[first], options[second]


_TOGETHER = (
    "When {a} and {b} went to the {place},",
    "After {a} and {b} went to the {place},",
    "While {a} and {b} were at the {place},",
    "When {a} and {b} worked at the {place},",
    "Then {a} and {b} had a long talk, and",
    "{a} and {b} met at the {place}, and",
)
_GIVING = tuple(
    f"{{s}} {verb} a {{thing}} to" for verb in "gave handed passed sent showed offered".split()
)
_GREETING = tuple(f"{{s}} {verb}" for verb in "thanked called helped greeted".split())


def ioi(rng: Generator, ends: Sequence[str] = _GIVING) -> Case:
    """Indirect object: the name that was not repeated. `ends` are what the giver may do."""
    a, b = pick_two(rng, words.NAMES)
    subject, other = (a, b) if rng.random() < 0.5 else (b, a)
    place, thing = pick(rng, words.PLACES), pick(rng, words.OBJECTS)
    template = f"{pick(rng, _TOGETHER)} {pick(rng, ends)}"

    def prompt(s: str) -> str:
        return template.format(a=a, b=b, s=s, place=place, thing=thing)

    key = " ".join(sorted((a, b)))
    return Case("ioi", prompt(subject), f" {other}", f" {subject}", prompt(other), key)


def direct_object(rng: Generator) -> Case:
    """The same choice of a name where the object follows the verb: "..., John thanked" Mary."""
    return ioi(rng, _GREETING)


CITY_STATE = (
    "{city} is in",
    "{city} is a city in",
    "The state containing {city} is",
    "{name} lives in {city},",
    "{name} moved to {city},",
)


def city_state(rng: Generator) -> Case:
    """City to state. The capitals are cities too."""
    state, other = pick_two(rng, states())
    city = pick(rng, (*state.cities, state.capital))
    foil = pick(rng, (*other.cities, other.capital))
    name = pick(rng, words.NAMES)
    template = pick(rng, CITY_STATE)
    return Case(
        "city_state",
        template.format(city=city, name=name),
        f" {state.name}",
        f" {other.name}",
        template.format(city=foil, name=name),
        f"{template} {city}",
    )


STATE_FACT = (
    "The {relation} of {state} is",
    "In {state}, the {relation} is",
    "Everyone in {state} knows that the {relation} is",
)


def state_capital(rng: Generator, relation: str = "capital") -> Case:
    """State to capital; bird, region and postal code are asked for in the same words."""
    state, other = pick_two(rng, states())
    template = pick(rng, STATE_FACT)
    return Case(
        "state_capital",
        template.format(relation=relation, state=state.name),
        f" {_fact(state, relation)}",
        f" {_fact(other, relation)}",
        template.format(relation=relation, state=other.name),
        f"{template} {relation} {state.name}",
    )


TWO_HOP = (
    "The {relation} of the state containing {city} is",
    "In the state containing {city}, the {relation} is",
    "Everyone in the state containing {city} knows that the {relation} is",
)


def two_hop(rng: Generator, relation: str = "capital", cities: tuple[str, ...] = ()) -> Case:
    """City to its state's capital (or bird, region, code), the state left unsaid.

    Args:
        rng: The source of randomness.
        relation: What is asked of the state.
        cities: The cities to draw from; by default all that are not capitals.
    """
    chosen = cities or tuple(state_of())
    city = pick(rng, chosen)
    state = state_of()[city]
    foil = pick(rng, chosen)
    while state_of()[foil] is state:
        foil = pick(rng, chosen)
    template = pick(rng, TWO_HOP)
    return Case(
        "two_hop",
        template.format(relation=relation, city=city),
        f" {_fact(state, relation)}",
        f" {_fact(state_of()[foil], relation)}",
        template.format(relation=relation, city=foil),
        city,
    )


def _fact(state: State, relation: str) -> str:
    return state.fact(next(known for known in RELATIONS if known == relation))


_PRONOUN = (
    "{name} went to the {place} because",
    "{name} was late because",
    "When {name} saw the {thing},",
    "{name} said that",
)


def pronoun(rng: Generator) -> Case:
    """The pronoun that goes with the one name."""
    man, woman = pick(rng, words.MEN), pick(rng, words.WOMEN)
    name, foil = (man, woman) if rng.random() < 0.5 else (woman, man)
    template = pick(rng, _PRONOUN)
    place, thing = pick(rng, words.PLACES), pick(rng, words.OBJECTS)
    return Case(
        "pronoun",
        template.format(name=name, place=place, thing=thing),
        f" {words.PRONOUN[name]}",
        f" {words.PRONOUN[foil]}",
        template.format(name=foil, place=place, thing=thing),
        f"{template} {name}",
        f" was {pick(rng, words.FEELINGS)}.",
    )


_AGREEMENT = "The {noun} {preposition} the {other}"


def agreement(rng: Generator) -> Case:
    """`is` or `are`, with a noun of the other number in between."""
    head, distractor = pick_two(rng, tuple(words.NOUNS))
    preposition = pick(rng, words.PREPOSITIONS)
    one = (head, words.NOUNS[distractor])
    many = (words.NOUNS[head], distractor)
    right, foil = (one, many) if rng.random() < 0.5 else (many, one)
    verb, other = (" is", " are") if right is one else (" are", " is")
    return Case(
        "agreement",
        _AGREEMENT.format(noun=right[0], preposition=preposition, other=right[1]),
        verb,
        other,
        _AGREEMENT.format(noun=foil[0], preposition=preposition, other=right[1]),
        f"{head} {distractor}",
        f" {pick(rng, words.ADJECTIVES)}.",
    )


_SERIES_LENGTH = 7
"""Items of a series in a sentence: it never stops where the next one is asked for."""


def successor(rng: Generator) -> Case:
    """The next day, month, number or letter after three to five."""
    name = pick(rng, tuple(words.SERIES))
    series, shown = words.SERIES[name], 3 + int(rng.integers(3))
    starts = len(series) if name in words.CYCLES else len(series) - _SERIES_LENGTH + 1
    start, foil = pick_two(rng, range(starts))

    def items(first: int) -> list[str]:
        return [series[(first + step) % len(series)] for step in range(_SERIES_LENGTH)]

    run, other = items(start), items(foil)
    return Case(
        "successor",
        " ".join(run[:shown]),
        f" {run[shown]}",
        f" {other[shown]}",
        " ".join(other[:shown]),
        f"{name} from {run[0]}",
        "".join(f" {item}" for item in run[shown + 1 :]) + ".",
    )


_GREATER_THAN = "The {event} lasted from the year {century}{year} to the year {century}"


def greater_than(rng: Generator) -> Case:
    """An end after the beginning, both in one century."""
    event, century = pick(rng, words.EVENTS), pick(rng, words.CENTURIES)
    start = 2 + int(rng.integers(96))
    later = words.YEARS[start + 1 :]
    earlier = words.YEARS[: start + 1]

    def prompt(year: str) -> str:
        return _GREATER_THAN.format(event=event, century=century, year=year)

    return Case(
        "greater_than",
        prompt(words.YEARS[start]),
        pick(rng, later),
        pick(rng, earlier),
        prompt("01"),
        f"{event} {century} {start}",
        legal=later,
    )


#: Every sentence frame, of which the tokenizer makes words.
TEMPLATES = (
    *_TOGETHER, *_GIVING, *_GREETING, *CITY_STATE, *STATE_FACT, *TWO_HOP, *_PRONOUN, _AGREEMENT,
    _GREATER_THAN, "is are was lives moved went wrote in to and then again",
)  # fmt: skip

DRAW: dict[str, Callable[[Generator], Case]] = {
    "ioi": ioi,
    "city_state": city_state,
    "state_capital": state_capital,
    "two_hop": lambda rng: two_hop(rng, cities=tuple(sorted(held_out_cities()))),
    "pronoun": pronoun,
    "agreement": agreement,
    "successor": successor,
    "greater_than": greater_than,
}
"""How each task that is asked in sentences draws a case to be tested on."""


def held_out_cases(task: str, rng: Generator) -> Iterator[Case]:
    """Endless different held-out cases of `task`, until there are no more to be found."""
    seen: set[str] = set()
    misses = 0
    while misses < 2000:
        case = DRAW[task](rng)
        if not case.held_out or case.prompt in seen:
            misses += 1
            continue
        misses = 0
        seen.add(case.prompt)
        yield case
