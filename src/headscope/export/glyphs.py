"""Token text as it is shown. It is untrusted, and often invisible: spaces, halves of characters.

The page's twin is `js/src/state/tokens.ts`; both are tested on the same texts.
"""

from __future__ import annotations

import unicodedata

_NAMED = {" ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽"}
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))
#: Code points of other categories that are shown as nothing (Unicode's Default_Ignorable).
_IGNORABLE = frozenset(
    map(ord, "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
) | {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
#: What Plotly would take for markup, for a place to fill in, or for mathematics.
_MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "%": "&#37;", "{": "&#123;"}
)


def visible(text: str) -> str:
    """A text with everything invisible made visible.

    `·` for a space (a single space between two words stays one), `⏎`, `⇥`, escapes for control
    characters, `◌` under a mark that would sit on its neighbour.
    """
    if not text:
        return "∅"
    shown = []
    around = [None, *text, None]
    for before, character, after in zip(around, text, around[2:], strict=False):
        glyph = glyph_of(character)
        if character == " " and before and after and before.strip() and after.strip():
            glyph = " "
        elif unicodedata.category(character).startswith("M") and (
            before is None or glyph_of(before) != before
        ):
            glyph = f"◌{glyph}"
        shown.append(glyph)
    return "".join(shown)


def in_plotly(text: str) -> str:
    """`visible` text as Plotly shows it unchanged.

    Plotly renders some HTML in labels and hovers, fills in `%{...}`, and hands `$...$` to MathJax
    where a page has it.
    """
    return visible(text).translate(_MARKUP)


def glyph_of(character: str) -> str:
    """One character as it is shown: itself, a sign for it, or an escape."""
    named = _NAMED.get(character)
    if named:
        return named
    code = ord(character)
    if unicodedata.category(character) not in _INVISIBLE and code not in _IGNORABLE:
        return character
    return f"\\u{{{code:x}}}" if code > 0xFFFF else f"\\u{code:04x}"
