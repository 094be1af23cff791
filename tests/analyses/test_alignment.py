"""What meets what: rules that every alignment keeps, on random prompts."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headscope.errors import RequestError
from headscope.results.alignment import UNMATCHED, align, checked

TOKENS = st.lists(st.integers(0, 4), min_size=1, max_size=12).map(tuple)


def longest_common(a, b):
    """Length of the longest common subsequence, by the recursion that defines it."""

    @cache
    def length(i, j):
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


@given(TOKENS, TOKENS)
def test_matches_rise_and_stay_in_range(shown, other):
    found = align(shown, other)
    assert found.dtype == np.int32
    assert found.shape == (len(shown),)
    matched = found[found != UNMATCHED]
    assert (np.diff(matched) > 0).all()
    assert ((matched >= 0) & (matched < len(other))).all()


@given(st.data(), TOKENS)
def test_prompts_of_equal_length_meet_position_by_position(data, shown):
    n = len(shown)
    other = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    assert align(shown, other).tolist() == list(range(n))


@given(TOKENS, TOKENS)
def test_equal_tokens_that_meet_are_the_longest_common_subsequence(shown, other):
    if len(shown) == len(other):
        return
    found = align(shown, other)
    equal = sum(shown[i] == other[j] for i, j in enumerate(found) if j != UNMATCHED)
    assert equal == longest_common(shown, other)


@given(TOKENS, TOKENS)
def test_different_tokens_meet_only_in_stretches_of_equal_length(shown, other):
    """Between two equal pairs (or the ends), all of both sides meet, or none."""
    if len(shown) == len(other):
        return
    found = align(shown, other).tolist()
    anchors = [i for i, j in enumerate(found) if j != UNMATCHED and shown[i] == other[j]]
    edges = [(-1, -1), *((i, found[i]) for i in anchors), (len(shown), len(other))]
    for (i, j), (k, m) in pairwise(edges):
        inside = found[i + 1 : k]
        assert inside in (list(range(j + 1, m)), [UNMATCHED] * (k - i - 1))


@given(TOKENS, TOKENS)
def test_the_same_equal_tokens_meet_from_either_side(shown, other):
    """As many of them, that is: where there is a choice it may fall differently."""

    def equal(a, b):
        return sum(a[i] == b[j] for i, j in enumerate(align(a, b)) if j != UNMATCHED)

    assert equal(shown, other) == equal(other, shown)


@given(TOKENS, st.data())
def test_one_inserted_word_is_left_alone(prompt, data):
    place = data.draw(st.integers(0, len(prompt)))
    longer = (*prompt[:place], 9, *prompt[place:])
    assert align(longer, prompt).tolist() == [*range(place), UNMATCHED, *range(place, len(prompt))]
    expected = [i if i < place else i + 1 for i in range(len(prompt))]
    assert align(prompt, longer).tolist() == expected


@given(TOKENS, TOKENS)
def test_what_was_found_can_be_given(shown, other):
    found = align(shown, other)
    if (found != UNMATCHED).any():
        assert checked(found.tolist(), len(shown), len(other)).tolist() == found.tolist()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([0, 1], "The alignment has 2 entries for 3 tokens. Give one index into the other prompt"),
        ([0, 1, 4], "The alignment has an index outside 0 to 3. Use -1 for an unmatched token."),
        ([-2, 1, 2], "The alignment has an index outside 0 to 3."),
        ([-1, -1, -1], "The alignment matches no token. Match at least one."),
        ([1, 0, 2], "The alignment crosses itself. Matched indices have to rise"),
        ([1, -1, 1], "The alignment crosses itself."),
    ],
)
def test_what_cannot_be_an_alignment_is_said_in_one_line(source, message):
    with pytest.raises(RequestError, match=f"^{message}"):
        checked(source, shown=3, other=4)
