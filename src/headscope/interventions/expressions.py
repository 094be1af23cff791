"""Directions as they are typed: `Paris - France + Italy`, `2 * "The capital of Italy is"`.

A bare word is the token with a space before it; `#123` is a token's id. A text in quotes is read at
its last token. Each may have a factor before it.
"""

from __future__ import annotations

import re

from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.interventions.directions import Direction, Means, Sum, Token

_SIGN = re.compile(r"\s*([+\-−])\s*")
_TERM = re.compile(
    r"""\s*(?:(?P<factor>\d+\.?\d*|\.\d+)\s*[*×]\s*)?
    (?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|\#(?P<id>\d+)|(?P<word>[^\s"'#+\-−*×][^"+\-−*×]*))
    """,
    re.VERBOSE,
)


@checked
def direction(text: str) -> Direction:
    """The direction that `text` spells.

    Args:
        text: Tokens and quoted texts, added and subtracted: `Paris - France + Italy`.

    Raises:
        RequestError: It spells none; the message says where.
    """
    if not text.strip():
        raise RequestError("The direction is empty.", "Write one, such as Paris - France + Italy.")
    terms: list[tuple[float, Direction]] = []
    at = 0
    while at < len(text) or not terms:
        sign = _SIGN.match(text, at)
        if terms and sign is None:
            raise _wrong("a plus or a minus", text, at)
        at = sign.end() if sign else at
        term = _TERM.match(text, at)
        if term is None:
            raise _wrong("a token or a quoted text", text, at)
        less = sign is not None and sign[1] != "+"
        terms.append((float(term["factor"] or 1) * (-1 if less else 1), _read(term)))
        at = term.end() + len(text[term.end() :]) - len(text[term.end() :].lstrip())
    (weight, first), *others = terms
    return first if not others and weight == 1 else Sum(tuple(terms))


def _read(term: re.Match[str]) -> Direction:
    if term["id"]:
        return Token(int(term["id"]))
    if quoted := term["double"] or term["single"]:
        return Means((quoted,))
    return Token(f" {term['word'].strip()}")


def _wrong(expected: str, text: str, at: int) -> RequestError:
    at += len(text[at:]) - len(text[at:].lstrip())
    found = f"{text[at]!r}" if at < len(text) else "the end"
    return RequestError(
        f"At character {at + 1} there is {found} instead of {expected}.",
        "Write such as Paris - France + 2 * Italy; what holds a + or - goes in quotes.",
    )
