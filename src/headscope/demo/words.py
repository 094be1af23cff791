"""The world's other words: names, nouns, and the series that have an order."""

from __future__ import annotations

from typing import Literal

Pronoun = Literal["he", "she"]

MEN = tuple(
    "John James Robert Michael David William Richard Joseph Thomas Daniel Matthew Anthony Mark "
    "Donald Steven Andrew Paul Joshua Kenneth Kevin Brian Timothy Ronald Jason Edward Jeffrey Ryan "
    "Jacob Nicholas Gary Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory "
    "Patrick Frank Raymond Jack Dennis Jerry Tyler Aaron Henry Adam".split()
)
WOMEN = tuple(
    "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty "
    "Sandra Margaret Ashley Kimberly Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie "
    "Rebecca Sharon Laura Cynthia Kathleen Amy Angela Shirley Anna Brenda Pamela Emma Nicole "
    "Samantha Katherine Christine Helen Rachel Carolyn Janet Maria Catherine Heather Diane "
    "Julie".split()
)
NAMES = MEN + WOMEN
PRONOUN: dict[str, Pronoun] = {**dict.fromkeys(MEN, "he"), **dict.fromkeys(WOMEN, "she")}

PLACES = tuple(
    "store school park office station library museum garden market hospital beach "
    "restaurant".split()
)
OBJECTS = tuple(
    "drink book ring letter ball map ticket basket lamp coat flower sandwich guitar bottle".split()
)
NOUNS = {
    "key": "keys",
    "cabinet": "cabinets",
    "dog": "dogs",
    "cat": "cats",
    "car": "cars",
    "tree": "trees",
    "house": "houses",
    "chair": "chairs",
    "table": "tables",
    "picture": "pictures",
    "boat": "boats",
    "horse": "horses",
    "door": "doors",
    "window": "windows",
    "farmer": "farmers",
    "teacher": "teachers",
}
"""Singular to plural."""
PREPOSITIONS = ("near", "behind", "beside", "under", "above", "to")
ADJECTIVES = tuple("old new small big red green quiet bright cold warm".split())
FEELINGS = tuple("tired happy hungry late early bored sad proud".split())
EVENTS = tuple("war siege voyage drought project debate strike journey trial festival".split())

CENTURIES = tuple(str(century) for century in range(11, 20))
YEARS = tuple(f"{year:02d}" for year in range(100))

SERIES: dict[str, tuple[str, ...]] = {
    "days": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "months": tuple(
        "January February March April May June July August September October November "
        "December".split()
    ),
    "numbers": tuple(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split()
    ),
    "letters": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
}
CYCLES = frozenset({"days", "months"})
"""The series that start again at their end."""
