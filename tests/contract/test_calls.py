"""Every public call refuses what it does not take in one line of ours."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass

import pytest

import headscope as hs
from headscope.errors import HeadscopeError

CALLS = [
    name
    for name in hs.__all__
    if callable(call := getattr(hs, name))
    and not is_dataclass(call)  # data: their fields are checked, their names are Python's own
    and not (inspect.isclass(call) and issubclass(call, Exception))
]


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_argument_is_refused(name: str) -> None:
    with pytest.raises(HeadscopeError, match=f"^{name} has no argument 'nonsense'\\.") as refused:
        getattr(hs, name)(nonsense=1)
    assert "\n" not in str(refused.value)
