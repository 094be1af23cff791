"""Widgets that share what is selected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import headscope as hs
from tests.golden import build
from tests.unit.page import Page


@pytest.fixture
def trio(gpt2: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Two widgets of the same prompt, and one of a shorter one."""
    widgets = (
        hs.AttentionPatterns(gpt2, "the cat sat"),
        hs.LogitLens(gpt2, "the cat sat"),
        hs.LogitLens(gpt2, "the dog"),
    )
    for widget in widgets:
        widget.run()
    yield widgets
    for widget in widgets:
        widget.close()


def test_what_is_chosen_in_one_is_chosen_in_the_others(trio: tuple[Any, Any, Any]) -> None:
    one, same, other = trio
    other.selection = {"token": 1}
    hs.link(one, same)
    hs.link(same, other)  # brings `one` along
    one.selection = {"layer": 1, "head": 2, "dest": 2, "token": 2}
    assert same.selection == one.selection
    assert other.selection == {
        "layer": 1, "head": 2, "dest": None, "src": None, "token": 1,
        "component": "L1H2", "feature": None,
    }  # fmt: skip
    Page(other).write(selection={**other.selection, "layer": 0})
    assert (one.selection["layer"], one.selection["dest"]) == (0, 2)


def test_a_field_that_is_changed_alone_travels_too(trio: tuple[Any, Any, Any]) -> None:
    one, same, _ = trio
    hs.link(one, same)
    one.selection |= {"token": 2}
    assert same.selection["token"] == 2


def test_what_is_left_alone_stays(trio: tuple[Any, Any, Any]) -> None:
    one, same, other = trio
    hs.link(one, same, other)
    hs.unlink(other)
    same.close()
    one.selection = {"layer": 1}
    assert other.selection["layer"] is None


def test_saved_pages_know_the_links(trio: tuple[Any, Any, Any]) -> None:
    one, same, other = trio
    hs.link(one, same)
    assert one.freeze().group == same.freeze().group != ""
    assert other.freeze().group == ""


def test_what_is_no_widget_is_refused(trio: tuple[Any, Any, Any]) -> None:
    with pytest.raises(hs.RequestError, match=r"1 widgets.*hs\.link\(one, other\)"):
        hs.link(trio[0])
    with pytest.raises(hs.RequestError, match="widgets cannot be a Grid"):
        hs.link(trio[0], build.grid())  # type: ignore[arg-type]


def test_what_the_other_has_not_leaves_both_alone(trio: tuple[Any, Any, Any]) -> None:
    """A head that the other model lacks: its choice stays, and so does the user's."""
    _, same, _ = trio
    longer = hs.AttentionPatterns(hs.load_demo(), "When Mary and John", selection={"head": 3})
    same.selection = {"head": 1}
    hs.link(longer, same)
    longer.selection = {"head": 5}  # the tiny model has heads 0 to 3
    assert longer.selection["head"] == 5
    assert same.selection["head"] == 1
    longer.close()
