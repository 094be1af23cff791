"""Pairs of prompts, and how they are written down: one pair, a list, a table, or a template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from string import Formatter
from typing import Any, Union

from headscope.errors import RequestError

Text = Union[str, tuple[int, ...]]
Answer = Union[str, int, tuple[int, ...], None]


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
        clean: A text or token ids; a list of texts; a list of `Pair` or of mappings; or a
            DataFrame with columns `clean`, and as many of `corrupted`, `answer`, `wrong` as there
            are.
        corrupted: As `clean`, of equal length where lists; None for none.
        answer: One for all, or a list.
        wrong: One for all, or a list.

    Raises:
        RequestError: Lists of different lengths, a missing column, or nothing at all.
    """
    if hasattr(clean, "to_dict") and hasattr(clean, "columns"):
        clean = clean.to_dict("records")
    if isinstance(clean, Pair):
        return (clean,)
    if _is_one(clean):
        return (Pair(_text(clean), _optional_text(corrupted), _answer(answer), _answer(wrong)),)
    rows = list(clean)
    if not rows:
        raise RequestError("There is no prompt pair.", "Pass at least one.")
    if all(isinstance(row, Pair) for row in rows):
        return tuple(rows)
    if all(isinstance(row, Mapping) for row in rows):
        return tuple(_from_mapping(row) for row in rows)
    others = _spread("corrupted", corrupted, len(rows))
    answers = _spread("answer", answer, len(rows))
    wrongs = _spread("wrong", wrong, len(rows))
    return tuple(
        Pair(_text(c), _optional_text(o), _answer(a), _answer(w))
        for c, o, a, w in zip(rows, others, answers, wrongs, strict=True)
    )


def expand(
    template: str,
    roles: Mapping[str, Sequence[str]],
    *,
    corrupt: Mapping[str, str],
    answer: str,
    wrong: str | None = None,
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

    Returns:
        One pair per choice, in the order of the lists.

    Raises:
        RequestError: A role of the template is nowhere defined, or there is no choice.
    """
    used = {name for _, name, _, _ in Formatter().parse(template) if name}
    undefined = used - roles.keys() - corrupt.keys()
    if undefined:
        raise RequestError(
            f"The template's role {min(undefined)!r} has no words.",
            f"Add it to roles, or to corrupt: known are {sorted({*roles, *corrupt})}.",
        )
    made = []
    for words in product(*roles.values()):
        if len(set(words)) < len(words):
            continue
        chosen = dict(zip(roles, words, strict=True))
        clean, corrupted = dict(chosen), dict(chosen)
        for role, both in corrupt.items():
            first, _, second = both.partition("/")
            clean[role], corrupted[role] = _word(chosen, first), _word(chosen, second)
        made.append(
            Pair(
                template.format(**clean),
                template.format(**corrupted),
                f" {_word(chosen, answer)}",
                None if wrong is None else f" {_word(chosen, wrong)}",
            )
        )
    if not made:
        raise RequestError("The roles leave no choice of different words.", "Give more words.")
    return tuple(made)


def _word(chosen: Mapping[str, str], role: str) -> str:
    if role not in chosen:
        raise RequestError(f"There is no role {role!r}.", f"Known: {sorted(chosen)}.")
    return chosen[role]


def _is_one(prompt: Any) -> bool:
    if isinstance(prompt, str) or hasattr(prompt, "shape"):
        return True
    return isinstance(prompt, Sequence) and all(isinstance(i, int) for i in prompt) and bool(prompt)


def _from_mapping(row: Mapping[str, Any]) -> Pair:
    if "clean" not in row:
        raise RequestError(
            "A row of the pairs has no 'clean'.",
            "Columns are clean, corrupted, answer, wrong; the last three may be missing.",
        )
    return Pair(
        _text(row["clean"]),
        _optional_text(row.get("corrupted")),
        _answer(row.get("answer")),
        _answer(row.get("wrong")),
    )


def _spread(name: str, given: Any, n: int) -> list[Any]:
    if given is None or isinstance(given, (str, int)):
        return [given] * n
    if len(given) != n:
        raise RequestError(f"There are {n} prompts and {len(given)} in {name}.", "Give one each.")
    return list(given)


def _text(given: Any) -> Text:
    if isinstance(given, str):
        return given
    return tuple(int(i) for i in _flat(given))


def _optional_text(given: Any) -> Text | None:
    return None if given is None or given == "" else _text(given)


def _answer(given: Any) -> Answer:
    if given is None or isinstance(given, (str, int)):
        return None if given == "" else given
    return tuple(int(i) for i in _flat(given))


def _flat(given: Any) -> Iterable[Any]:
    ids = given.tolist() if hasattr(given, "tolist") else list(given)
    return ids[0] if len(ids) == 1 and isinstance(ids[0], list) else ids
