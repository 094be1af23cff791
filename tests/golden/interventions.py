"""Interventions with their words: `python -m tests.golden.interventions` writes them for the page's
tests, which must find the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headscope.interventions import Interventions, Means, Sum, Token, TokenDifference, Vector

PATH = Path(__file__).with_suffix(".json")
_HOSTILE = ["it's", "\"both\" 'kinds'", "tab\tline\n\\", "a b​c", "日本 \ue000 é \U000e0001"]
_NUMBERS = [0, -0.5, 1e-5, 123456.7, 1234567, -1e22, 0.1 + 0.2, 1e-4, 99999.95]


def examples() -> Interventions:
    """Each kind, each direction, and what is hard to write."""
    more = TokenDifference(" good", " bad")
    directions = [
        more, TokenDifference(5, "\n"), Means(["a", "b"], ["c"]), Means(["only\none"]),
        Vector([1.0, 2.0], "mine"), Token(" Paris"), Token(7), Token("odd + even"),
        Token(" x", ["x y", "y x"]), Token(" Paris") - 0.5 * Token(" France") + more,
        Sum(((-2.0, Means(["a", "b"], ["c"])), (1e-7, Token(" Rome")))),
    ]  # fmt: skip
    items = (
        Interventions()
        .zero("L2H1").zero("MLP3", [2, -1]).mean("L1", "one").mean("L1.q", ["one", [1, 2]], 0)
        .patch("L3.resid_pre", [1, 2, 3]).knock_out("L2H1", 5, None).knock_out("L2", None, -1)
        .freeze_pattern("L2H1", "as here").clamp("L3F212", -0.25).skip([3, 4]).skip(1, "attn")
        .skip(2, "mlp").swap(1, 2).repeat(3, 4)
    )  # fmt: skip
    for direction in directions:
        items = items.steer(1, direction, strength=4, positions=[-1])
    for text in _HOSTILE:
        items = items.patch("embed", text)
    for number in _NUMBERS:
        items = items.scale("L0H0.v", number)
    return items.changed(0, on=False)


def written() -> list[dict[str, Any]]:
    """Their JSON and words."""
    items = examples()
    return [
        {"item": data, "words": str(item)}
        for data, item in zip(items.to_list(), items, strict=True)
    ]


if __name__ == "__main__":
    PATH.write_text(json.dumps(written(), indent=1) + "\n", encoding="utf-8")
