"""Pairs of prompts, and how they are written down: one pair, a list, a table, or a template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from math import isnan
from numbers import Integral
from string import Formatter
from typing import Any, Union

from headscope.arguments import checked, short
from headscope.errors import RequestError

Text = Union[str, tuple[int, ...]]
Answer = Union[str, int, tuple[int, ...], None]

_NAMES = ("clean", "corrupted", "answer", "wrong")


@dataclass(frozen=True)
class Pair:
    """Two prompts that differ in what is to be located.

    Args:
        clean: Text or token ids.
        corrupted: Its counterpart; None where the source is an ablation.
        answer: What is right after `clean`: text (one token or several), an id, or ids; None for
            the model's top prediction.
        wrong: What is right after `corrupted`, likewise.
    """

    clean: Text
    corrupted: Text | None = None
    answer: Answer = None
    wrong: Answer = None


def pairs_of(
    clean: Any, corrupted: Any = None, answer: Any = None, wrong: Any = None
) -> tuple[Pair, ...]:
    """Pairs from whatever a user passes.

    Args:
        clean: A text or token ids; a list of texts; a `Pair`, a mapping, or a list of these
            (of whatever has their four names, such as `hs.demo.prompts["ioi"]`); or a DataFrame
            with columns `clean`, and as many of `corrupted`, `answer`, `wrong` as there are.
        corrupted: As `clean`, of equal length where lists; None for none.
        answer: One for all, or a list.
        wrong: One for all, or a list.

    Raises:
        RequestError: Something beside pairs that have it already, lists of different lengths, a
            missing column, no prompt at all, or something that is neither text nor token ids.
    """
    if hasattr(clean, "to_dict") and hasattr(clean, "columns"):
        clean = clean.astype(object).where(clean.notna(), None).to_dict("records")
    clean = _plain(clean)
    beside = {"corrupted": corrupted, "answer": answer, "wrong": wrong}
    if _is_pair(clean):
        _refuse_beside(beside)
        return (_from(clean),)
    if isinstance(clean, str) or _is_ids(clean):
        return (_pair(clean, corrupted, answer, wrong),)
    if not isinstance(clean, Iterable) or isinstance(clean, (bytes, Set)):  # a set has no order
        raise _no_prompt(clean)
    rows = list(clean)
    if not rows:
        raise RequestError("There is no prompt pair.", "Pass at least one.")
    if all(map(_is_pair, rows)):
        _refuse_beside(beside)
        return tuple(map(_from, rows))
    others = _spread("corrupted", corrupted, len(rows))
    answers = _spread("answer", answer, len(rows))
    wrongs = _spread("wrong", wrong, len(rows))
    return tuple(map(_pair, rows, others, answers, wrongs))


@checked
def expand(
    template: str,
    roles: Mapping[str, Sequence[str]],
    *,
    corrupt: Mapping[str, str],
    answer: str,
    wrong: str | None = None,
    answers: Mapping[str, str] | None = None,
) -> tuple[Pair, ...]:
    """Fill a template with every choice of words in which no word is used twice.

    Args:
        template: Text with roles in braces, such as
            `"When {A} and {B} went to the store, {S} gave a drink to"`.
        roles: Words for each role that is chosen freely. Roles that share a word list never take
            the same word.
        corrupt: Roles of the template that differ between the two prompts, as `"clean/corrupted"`:
            `{"S": "A/B"}` puts A's word for S in the clean prompt and B's in the corrupted one.
        answer: The role whose word is right after the clean prompt.
        wrong: The role whose word is right after the corrupted one.
        answers: What is right for a word, where that is not the word itself: `{"Dallas": "Austin"}`
            for `"The capital of the state containing {X} is"` with `corrupt={"X": "C/D"}`.

    Returns:
        One pair per choice, in the order of the lists.

    Raises:
        RequestError: A role is nowhere defined, the template cannot be read, or there is no choice.
    """
    try:
        parsed = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise RequestError(
            f"The template cannot be read: {error}.", "Write {{ for a brace."
        ) from error
    if formatted := [name for _, name, code, conversion in parsed if code or conversion]:
        raise RequestError(
            f"The template has a format for {formatted[0]!r}.", "Write its name in braces, no more."
        )
    used = {str(name) for _, name, _, _ in parsed}
    undefined = used - roles.keys() - corrupt.keys()
    if undefined:
        raise RequestError(
            f"The template's role {min(undefined)!r} has no words.",
            f"Add it to roles, or to corrupt: known are {sorted({*roles, *corrupt})}.",
        )
    answers = answers or {}
    made = []
    for words in product(*roles.values()):
        if len(set(words)) < len(words):
            continue
        chosen = dict(zip(roles, words, strict=True))
        clean, corrupted = dict(chosen), dict(chosen)
        for role, both in corrupt.items():
            first, slash, second = str(both).partition("/")
            if not slash:
                raise RequestError(
                    f"corrupt has {both!r} for {role!r}.",
                    "Name the clean prompt's role and the corrupted one's, as in 'A/B'.",
                )
            clean[role], corrupted[role] = _word(chosen, first), _word(chosen, second)
        made.append(
            Pair(
                template.format(**clean),
                template.format(**corrupted),
                _said(answers, _word(chosen, answer)),
                None if wrong is None else _said(answers, _word(chosen, wrong)),
            )
        )
    if not made:
        raise RequestError("The roles leave no choice of different words.", "Give more words.")
    return tuple(made)


def _said(answers: Mapping[str, str], word: str) -> str:
    return f" {answers.get(word, word)}"


def _word(chosen: Mapping[str, str], role: str) -> str:
    if role not in chosen:
        raise RequestError(f"There is no role {role!r}.", f"Known: {sorted(chosen)}.")
    return chosen[role]


def _plain(given: Any) -> Any:
    """Arrays, tensors and columns as lists; a batch of one prompt as that prompt."""
    if not hasattr(given, "tolist"):
        return given
    return (
        given[0].tolist() if getattr(given, "ndim", 1) == 2 and len(given) == 1 else given.tolist()
    )


def _is_ids(given: Any) -> bool:
    return (
        isinstance(given, Sequence)
        and not isinstance(given, bytes)
        and len(given) > 0
        and all(isinstance(i, Integral) and not isinstance(i, bool) for i in given)
    )


def _is_missing(given: Any) -> bool:
    """Whether it is nothing; tables have NaN where there is nothing."""
    if isinstance(given, float):
        return isnan(given)
    return given is None or (isinstance(given, str) and not given)


def _refuse_beside(given: Mapping[str, Any]) -> None:
    """Pairs bring all of it with them: what is passed as well would be ignored."""
    for name, value in given.items():
        if value is not None:
            raise RequestError(
                f"{name} is given beside pairs, which have their own.",
                f"Put it into the pairs: hs.Pair(clean, corrupted, answer, wrong), or leave {name} "
                "out.",
            )


def _is_pair(row: Any) -> bool:
    return isinstance(row, Mapping) or hasattr(row, "clean")


def _from(row: Any) -> Pair:
    if not isinstance(row, Mapping):
        row = {name: getattr(row, name, None) for name in _NAMES}
    _refuse_misspelt(row)
    if row.get("clean") is None:
        raise RequestError(
            "A row of the pairs has no 'clean'.",
            "Columns are clean, corrupted, answer, wrong; the last three may be missing.",
        )
    return _pair(*(row.get(name) for name in _NAMES))


def _refuse_misspelt(row: Mapping[str, Any]) -> None:
    """A column may be the user's own; one that is nearly the name of a missing one is that one."""
    missing = [name for name in _NAMES if name not in row]
    for key in row:
        if key not in _NAMES and (close := get_close_matches(str(key).lower(), missing, 1, 0.8)):
            raise RequestError(f"The pairs have {key!r}.", f"Call it {close[0]!r}.")


def _pair(clean: Any, corrupted: Any, answer: Any, wrong: Any) -> Pair:
    other = None if _is_missing(corrupted) else _text(corrupted)
    return Pair(_text(clean), other, answer_of(answer), answer_of(wrong))


def _spread(name: str, given: Any, n: int) -> list[Any]:
    given = _plain(given)
    if given is None or isinstance(given, (str, Integral)):
        return [given] * n
    if len(given) != n:
        raise RequestError(f"There are {n} prompts and {len(given)} in {name}.", "Give one each.")
    return list(given)


def _text(given: Any) -> Text:
    given = _plain(given)
    if isinstance(given, str):
        return given
    if not _is_ids(given):
        raise _no_prompt(given)
    return tuple(map(int, given))


def answer_of(given: Any) -> Answer:
    """An answer from whatever a user passes.

    Raises:
        RequestError: It is neither text nor token ids.
    """
    given = _plain(given)
    if _is_missing(given):
        return None
    if isinstance(given, str):
        return given
    if (
        not isinstance(given, bool)
        and isinstance(given, (int, float))
        and float(given).is_integer()
    ):  # a column with gaps has 5.0
        return int(given)
    if not _is_ids(given):
        raise RequestError(
            f"An answer is a text or token ids, not {short(given)}.",
            "Pass ' Paris', or an id, or ids.",
        )
    return tuple(map(int, given))


def _no_prompt(given: Any) -> RequestError:
    return RequestError(
        f"A prompt is a text or token ids, not {short(given)}.",
        "Pass a string, or ids such as model.to_tokens(text)[0].",
    )
