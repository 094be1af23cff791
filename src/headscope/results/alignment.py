"""Which token of one prompt meets which of another: the longest common subsequence, filled in.

Tokens of the longest common subsequence meet each other. Between two of these, stretches of equal
length on both sides meet one to one (a name in the place of a name); where the lengths differ,
tokens stay unmatched. So two prompts of equal length with replaced words are aligned position by
position, and an inserted word is left alone.

Source: the dynamic program of Wagner & Fischer 1974; cost: product of the two lengths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headscope.errors import RequestError

UNMATCHED = -1


def align(shown: Sequence[int], other: Sequence[int]) -> npt.NDArray[np.int32]:
    """For each token of `shown` the index of the one of `other` that it meets, or -1.

    Equal lengths are aligned position by position.
    """
    if len(shown) == len(other):
        return np.arange(len(shown), dtype=np.int32)
    matches = [*_common_subsequence(shown, other), (len(shown), len(other))]
    found = np.full(len(shown), UNMATCHED, np.int32)
    i = j = 0
    for a, b in matches:
        if a - i == b - j:
            found[i:a] = np.arange(j, b)
        if a < len(shown):
            found[a] = b
        i, j = a + 1, b + 1
    return found


def checked(source: Sequence[int], shown: int, other: int) -> npt.NDArray[np.int32]:
    """An alignment that the user gave.

    Args:
        source: One index into the other prompt per token, -1 for none.
        shown: Tokens of the prompt whose positions are shown.
        other: Tokens of the other prompt.

    Raises:
        RequestError: Wrong length, an index out of range, an order reversed, or nothing matched.
    """
    found = np.asarray(source, np.int32)
    if found.shape != (shown,):
        raise RequestError(
            f"The alignment has {len(source)} entries for {shown} tokens.",
            "Give one index into the other prompt per token, -1 for none.",
        )
    matched = found[found != UNMATCHED]
    if matched.size == 0:
        raise RequestError("The alignment matches no token.", "Match at least one.")
    if matched.min() < 0 or matched.max() >= other:
        raise RequestError(
            f"The alignment has an index outside 0 to {other - 1}.",
            "Use -1 for an unmatched token.",
        )
    if (np.diff(matched) <= 0).any():
        raise RequestError(
            "The alignment crosses itself.", "Matched indices have to rise from left to right."
        )
    return found


def _common_subsequence(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    lengths = np.zeros((len(a) + 1, len(b) + 1), np.int32)
    same = np.asarray(a)[:, None] == np.asarray(b)
    for i in range(len(a) - 1, -1, -1):
        diagonal = np.where(same[i], lengths[i + 1, 1:] + 1, lengths[i + 1, :-1])
        # lengths[i, j] = max(diagonal[j], lengths[i, j + 1]): a running maximum from the right.
        lengths[i, :-1] = np.maximum.accumulate(diagonal[::-1])[::-1]
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if same[i, j] and lengths[i, j] == lengths[i + 1, j + 1] + 1:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1, j] >= lengths[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs
