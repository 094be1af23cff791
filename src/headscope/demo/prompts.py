"""Named prompt pairs for each task, every one of them held out of training.

`clean` is answered by `answer`, `corrupted` (the same length in tokens) by `wrong` or, for tasks
without a right answer to the corrupted prompt, no longer by `answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PromptPair:
    """Two prompts that differ in what decides the answer.

    Args:
        task: Key in `prompts`.
        name: A short name, unique within the task.
        clean: The prompt.
        corrupted: Its twin, equally long in tokens.
        answer: The right next token after `clean`, with its leading space.
        wrong: The token to compare it with: the twin's answer where it has one.
    """

    task: str
    name: str
    clean: str
    corrupted: str
    answer: str
    wrong: str


def _pairs(task: str, *rows: tuple[str, str, str, str, str]) -> tuple[PromptPair, ...]:
    return tuple(PromptPair(task, *row) for row in rows)


def _swapped(name: str, clean: str, *words: str) -> tuple[str, str, str, str, str]:
    """A pair whose prompts differ in one word: `words` are clean, corrupted, answer, wrong."""
    first, second, answer, wrong = words
    return name, clean.format(first), clean.format(second), f" {answer}", f" {wrong}"


_PROMPTS = {
    "ioi": (
        _swapped(
            "store",
            "When Anna and Mark went to the store, {} gave a drink to",
            *("Anna", "Mark", "Mark", "Anna"),
        ),
        _swapped(
            "park",
            "After John and Jack went to the park, {} handed a ball to",
            *("Jack", "John", "John", "Jack"),
        ),
        _swapped(
            "library",
            "While Laura and Susan were at the library, {} passed a book to",
            *("Laura", "Susan", "Susan", "Laura"),
        ),
        _swapped(
            "talk",
            "Then David and Sarah had a long talk, and {} sent a letter to",
            *("Sarah", "David", "David", "Sarah"),
        ),
    ),
    "induction": (
        (
            "three words",
            "coat Ohio seven guitar horse ticket coat Ohio seven",
            "coat Ohio seven ticket horse guitar coat Ohio seven",
            " guitar",
            " ticket",
        ),
        (
            "five words",
            "robin Boston under March Helen garden sad robin Boston under March Helen",
            "robin Boston under March Helen sad garden robin Boston under March Helen",
            " garden",
            " sad",
        ),
    ),
    "city_state": (
        _swapped("Dallas", "{} is in", "Dallas", "San Diego", "Texas", "California"),
        _swapped("Portland", "{} is a city in", "Portland", "Savannah", "Oregon", "Georgia"),
        _swapped("Miami", "The state containing {} is", "Miami", "Omaha", "Florida", "Nebraska"),
    ),
    "state_capital": (
        _swapped(
            "Pennsylvania",
            "The capital of {} is",
            *("Pennsylvania", "Alabama", "Harrisburg", "Montgomery"),
        ),
        _swapped("Ohio", "In {}, the capital is", "Ohio", "Tennessee", "Columbus", "Nashville"),
        _swapped(
            "Indiana", "In {}, the capital is", "Indiana", "Vermont", "Indianapolis", "Montpelier"
        ),
    ),
    "two_hop": (
        _swapped(
            "Dallas",
            "The capital of the state containing {} is",
            *("Dallas", "Oakland", "Austin", "Sacramento"),
        ),
        _swapped(
            "Chicago",
            "The capital of the state containing {} is",
            *("Chicago", "Seattle", "Springfield", "Olympia"),
        ),
        _swapped(
            "Miami",
            "In the state containing {}, the capital is",
            *("Miami", "Pittsburgh", "Tallahassee", "Harrisburg"),
        ),
    ),
    "pronoun": (
        _swapped("store", "{} went to the store because", "Helen", "Robert", "she", "he"),
        _swapped("said", "{} said that", "John", "Emily", "he", "she"),
        _swapped("letter", "When {} saw the letter,", "Susan", "Patrick", "she", "he"),
    ),
    "agreement": (
        ("dogs", "The dogs near the horse", "The dog near the horses", " are", " is"),
        ("boat", "The boat beside the trees", "The boats beside the tree", " is", " are"),
        ("pictures", "The pictures above the key", "The picture above the keys", " are", " is"),
    ),
    "successor": (
        (
            "days",
            "Monday Tuesday Wednesday Thursday",
            "Thursday Friday Saturday Sunday",
            " Friday",
            " Monday",
        ),
        ("months", "March April May June", "January February March April", " July", " May"),
        (
            "numbers",
            "seven eight nine ten",
            "eleven twelve thirteen fourteen",
            " eleven",
            " fifteen",
        ),
        ("letters", "D E F", "L M N", " G", " O"),
    ),
    "greater_than": (
        (
            "war",
            "The war lasted from the year 1743 to the year 17",
            "The war lasted from the year 1701 to the year 17",
            "75",
            "15",
        ),
        (
            "siege",
            "The siege lasted from the year 1848 to the year 18",
            "The siege lasted from the year 1801 to the year 18",
            "88",
            "20",
        ),
    ),
}

prompts: Mapping[str, tuple[PromptPair, ...]] = MappingProxyType(
    {task: _pairs(task, *rows) for task, rows in _PROMPTS.items()}
)
