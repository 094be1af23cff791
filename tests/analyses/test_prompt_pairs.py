"""However pairs are written down, they become the same pairs; what is none is said."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

import headscope as hs
from headscope.analyses.prompt_pairs import Pair, expand, pairs_of
from headscope.errors import RequestError

TWO = (Pair("a", "b", " c", " d"), Pair("e", "f", " g", None))


def test_one_pair():
    assert pairs_of("a", "b", " c", " d") == TWO[:1]
    assert pairs_of(TWO[0]) == TWO[:1]
    assert pairs_of("a") == pairs_of("a", "", "", "") == (Pair("a"),)


@pytest.mark.parametrize(
    "ids", [(3, 4), [3, 4], np.array([3, 4]), torch.tensor([3, 4]), torch.tensor([[3, 4]]),
            [np.int64(3), np.int64(4)]], ids=repr,
)  # fmt: skip
def test_ids_however_they_are_held(ids):
    made = pairs_of(ids, ids, ids, 7)
    assert made == (Pair((3, 4), (3, 4), (3, 4), 7),)
    assert hash(made) == hash((Pair((3, 4), (3, 4), (3, 4), 7),))


def test_answers_are_a_text_or_an_id_or_ids():
    for given, kept in [(5, 5), (np.int64(5), 5), (torch.tensor(5), 5), (5.0, 5), ([5], (5,))]:
        assert pairs_of("a", answer=given)[0].answer == kept


def test_sets_in_every_form():
    rows = [dict(zip(("clean", "corrupted", "answer", "wrong"), t, strict=True)) for t in (
        ("a", "b", " c", " d"), ("e", "f", " g", None))]  # fmt: skip
    table = pd.DataFrame(rows)
    assert pairs_of(TWO) == pairs_of(list(TWO)) == TWO
    assert pairs_of(rows) == pairs_of(table) == TWO
    assert pairs_of(table.iloc[::-1]) == TWO[::-1]
    assert pairs_of(["a", "e"], ["b", "f"], [" c", " g"], [" d", None]) == TWO
    assert pairs_of(*(table[name] for name in table)) == TWO
    assert pairs_of(np.array(["a", "e"]), np.array(["b", "f"]), " c")[1].answer == " c"
    assert pairs_of([[1, 2], [3]], [[4, 2], [5]]) == (Pair((1, 2), (4, 2)), Pair((3,), (5,)))
    assert pairs_of(torch.tensor([[1, 2], [3, 4]])) == (Pair((1, 2)), Pair((3, 4)))


def test_gaps_in_a_table_are_what_is_left_out():
    table = pd.DataFrame({"clean": ["a", "b"], "answer": [3, None], "wrong": [None, " x"]})
    assert pairs_of(table) == (Pair("a", None, 3, None), Pair("b", None, None, " x"))
    assert pairs_of(table.astype({"wrong": "string"})) == pairs_of(table)
    assert pairs_of(table.to_dict("records")) == pairs_of(table)


def test_the_demos_pairs_are_pairs():
    made = pairs_of(hs.demo.prompts["ioi"])
    first = hs.demo.prompts["ioi"][0]
    assert made[0] == Pair(first.clean, first.corrupted, first.answer, first.wrong)
    assert pairs_of(first) == made[:1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "There is no prompt pair. Pass at least one."),
        ((None,), "A prompt is a text or token ids, not None. Pass a string, or ids"),
        ((5,), "A prompt is a text or token ids, not 5."),
        (([1.5, 2.5],), "A prompt is a text or token ids, not 1.5."),
        ((["a", None],), "A prompt is a text or token ids, not None."),
        (("a", ["b", "c"]), r"A prompt is a text or token ids, not \['b', 'c'\]."),
        ((["a", "b"], ["c"]), "There are 2 prompts and 1 in corrupted. Give one each."),
        ((["a", "b"], "c", [" d"] * 3), "There are 2 prompts and 3 in answer. Give one each."),
        (([{"corrupted": "a"}],), "A row of the pairs has no 'clean'. Columns are clean, "),
        ((pd.DataFrame({"prompt": ["a"]}),), "A row of the pairs has no 'clean'. Columns are"),
        ((pd.DataFrame({"clean": ["a", None]}),), "A row of the pairs has no 'clean'."),
        ((pd.DataFrame({"clean": []}),), "There is no prompt pair."),
        (("a", "b", 1.5), "An answer is a text or token ids, not 1.5. Pass ' Paris', or an id"),
        (("a", "b", [" c"]), r"An answer is a text or token ids, not \[' c'\]."),
    ],
    ids=repr,
)
def test_what_is_no_pair_is_said_in_one_line(arguments, message):
    with pytest.raises(RequestError, match=f"^{message}") as refusal:
        pairs_of(*arguments)
    assert refusal.value.hint
    assert "\n" not in str(refusal.value)


# Templates.

TEMPLATE = "When {A} and {B} met, {S} gave it to"
NAMES = ["Ann", "Bob", "Cy"]


def test_a_template_is_filled_with_every_choice_of_different_words():
    made = expand(
        TEMPLATE, {"A": NAMES, "B": NAMES}, corrupt={"S": "A/B"}, answer="B", wrong="A"
    )  # fmt: skip
    expected = tuple(
        Pair(
            f"When {a} and {b} met, {a} gave it to", f"When {a} and {b} met, {b} gave it to",
            f" {b}", f" {a}",
        )
        for a, b in itertools.permutations(NAMES, 2)
    )  # fmt: skip
    assert made == expected
    assert hs.expand is expand
    assert pairs_of(made) == made


def test_a_role_may_be_the_answer_alone_and_wrong_left_out():
    made = expand("{X} is{{}}", {"X": ["a"], "Y": ["b"]}, corrupt={"X": "X/Y"}, answer="Y")
    assert made == (Pair("a is{}", "b is{}", " b", None),)


@pytest.mark.parametrize(
    ("template", "changes", "message"),
    [
        ("{A} {C}", {}, r"The template's role 'C' has no words. Add it to roles, or to corrupt"),
        ("{A} {}", {}, "The template's role '' has no words."),
        ("{A", {}, "The template cannot be read: .* Write {{ for a brace."),
        (TEMPLATE, {"answer": "C"}, r"There is no role 'C'. Known: \['A', 'B'\]."),
        (TEMPLATE, {"corrupt": {"S": "A/C"}}, "There is no role 'C'."),
        (TEMPLATE, {"corrupt": {"S": "A"}}, "corrupt has 'A' for 'S'. Name the clean prompt's"),
        (TEMPLATE, {"roles": {"A": ["x"], "B": ["x"]}}, "The roles leave no choice of different"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_in_one_line(template, changes, message):
    how = {"roles": {"A": NAMES, "B": NAMES}, "corrupt": {"S": "A/B"}, "answer": "B"} | changes
    with pytest.raises(RequestError, match=message) as refusal:
        expand(template, **how)
    assert "\n" not in str(refusal.value)


def test_a_template_whose_answer_is_said_of_a_word() -> None:
    capitals = {"Dallas": "Austin", "Oakland": "Sacramento"}
    first, second = expand(
        "The capital of the state containing {X} is",
        {"C": list(capitals), "D": list(capitals)},
        corrupt={"X": "C/D"},
        answer="C",
        wrong="D",
        answers=capitals,
    )
    assert (first.clean, first.answer) == (
        "The capital of the state containing Dallas is",
        " Austin",
    )
    assert (first.corrupted, first.wrong) == (second.clean, second.answer)


@pytest.mark.parametrize("pairs", [TWO[0], TWO, [{"clean": "a"}]], ids=["one", "set", "rows"])
@pytest.mark.parametrize("name", ["corrupted", "answer", "wrong"])
def test_nothing_is_ignored_beside_pairs(pairs, name):
    with pytest.raises(RequestError, match=f"{name} is given beside pairs"):
        pairs_of(pairs, **{name: " c"})
