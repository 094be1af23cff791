"""Named prompt pairs for each task, the clean ones held out of training.

`clean` is answered by `answer`, `corrupted` (the same length in tokens) by `wrong` or, for tasks
without a right answer to the corrupted prompt, no longer by `answer`. Where the task allows it, the
two differ in one token.
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


def _repeated(name: str, words: str, answer: str, wrong: str) -> tuple[str, str, str, str, str]:
    """Words that are said again; the two that came after them the first time change places."""
    clean, corrupted = (f"{words} {a} {b} {words}" for a, b in ((answer, wrong), (wrong, answer)))
    return name, clean, corrupted, f" {answer}", f" {wrong}"


_TEN = "lamp Denver seven behind Laura school Friday horse proud Kansas"
_TWENTY = f"{_TEN} robin map East Chicago twelve tree May Aaron ring bright"

_PROMPTS = {
    "ioi": (
        _swapped(
            "store",
            "When John and Mary went to the store, {} gave a drink to",
            *("John", "Mary", "Mary", "John"),
        ),
        _swapped(
            "store, Mary first",
            "When Mary and John went to the store, {} gave a drink to",
            *("John", "Mary", "Mary", "John"),
        ),
        _swapped(
            "park",
            "After Lisa and Kevin went to the park, {} handed a ball to",
            *("Kevin", "Lisa", "Lisa", "Kevin"),
        ),
        _swapped(
            "library",
            "While Jack and Robert were at the library, {} passed a book to",
            *("Jack", "Robert", "Robert", "Jack"),
        ),
        _swapped(
            "office",
            "When Jennifer and Mark worked at the office, {} offered a ticket to",
            *("Mark", "Jennifer", "Jennifer", "Mark"),
        ),
        _swapped(
            "museum",
            "Laura and Brian met at the museum, and {} showed a map to",
            *("Laura", "Brian", "Brian", "Laura"),
        ),
        _swapped(
            "talk",
            "Then Barbara and David had a long talk, and {} sent a letter to",
            *("David", "Barbara", "Barbara", "David"),
        ),
    ),
    "induction": (
        _repeated("three words", "coat Ohio seven", "guitar", "ticket"),
        _repeated("five words", "robin Boston under March Helen", "garden", "sad"),
        _repeated("ten words", _TEN, "garden", "sad"),
        _repeated("twenty words", _TWENTY, "coat", "quiet"),
    ),
    "city_state": (
        _swapped("Dallas", "{} is a city in", "Dallas", "Miami", "Texas", "Florida"),
        _swapped(
            "Pittsburgh",
            "{} is in",
            *("Pittsburgh", "San Francisco", "Pennsylvania", "California"),
        ),
        _swapped(
            "Tacoma",
            "The state containing {} is",
            *("Tacoma", "Birmingham", "Washington", "Alabama"),
        ),
        _swapped("Seattle", "Helen moved to {},", "Seattle", "Houston", "Washington", "Texas"),
    ),
    "state_capital": (
        _swapped("Texas", "The capital of {} is", "Texas", "Georgia", "Austin", "Atlanta"),
        _swapped(
            "Florida",
            "In {}, the capital is",
            *("Florida", "Virginia", "Tallahassee", "Richmond"),
        ),
        _swapped(
            "Illinois",
            "Everyone in {} knows that the capital is",
            *("Illinois", "Alaska", "Springfield", "Juneau"),
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
        _swapped(
            "Portland",
            "Everyone in the state containing {} knows that the capital is",
            *("Portland", "Detroit", "Salem", "Lansing"),
        ),
    ),
    "pronoun": (
        _swapped("store", "{} went to the store because", "Linda", "Thomas", "she", "he"),
        _swapped("late", "{} was late because", "James", "Elizabeth", "he", "she"),
        _swapped("said", "{} said that", "Jessica", "Joshua", "she", "he"),
        _swapped("letter", "When {} saw the letter,", "Richard", "Karen", "he", "she"),
    ),
    "agreement": (
        _swapped("teachers", "The {} behind the house", "teachers", "teacher", "are", "is"),
        _swapped("boat", "The {} beside the trees", "boat", "boats", "is", "are"),
        _swapped("pictures", "The {} above the chair", "pictures", "picture", "are", "is"),
        _swapped("farmer", "The {} near the cars", "farmer", "farmers", "is", "are"),
    ),
    "successor": (
        (
            "days",
            "Thursday Friday Saturday Sunday",
            "Monday Tuesday Wednesday Thursday",
            " Monday",
            " Friday",
        ),
        (
            "months",
            "September October November December",
            "March April May June",
            " January",
            " July",
        ),
        ("numbers", "nine ten eleven twelve", "one two three four", " thirteen", " five"),
        ("letters", "O P Q", "A B C", " R", " D"),
    ),
    "greater_than": (
        (
            "war",
            "The war lasted from the year 1740 to the year 17",
            "The war lasted from the year 1701 to the year 17",
            "75",
            "15",
        ),
        (
            "siege",
            "The siege lasted from the year 1840 to the year 18",
            "The siege lasted from the year 1801 to the year 18",
            "88",
            "20",
        ),
    ),
}

prompts: Mapping[str, tuple[PromptPair, ...]] = MappingProxyType(
    {task: _pairs(task, *rows) for task, rows in _PROMPTS.items()}
)
