"""What may be assigned to a widget: nothing that it does not have, nothing that does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Union, cast

import anywidget
import traitlets as t

from headscope.arguments import fit, meant, short
from headscope.errors import RequestError
from headscope.widgets.closed import Closed
from headscope.wire.messages import Effect, FieldSpec

_LINE = Union[str, int, float, Sequence[Union[str, int]], None]
_KINDS: Mapping[str, Any] = {
    "integer": int, "flag": bool, "text": str, "line": _LINE,
    "token": Union[str, int, Sequence[int], None],
}  # fmt: skip
_THEIRS = frozenset(dir(t.HasTraits))
"""What traitlets assigns to itself, such as `notify_change` while it holds notifications."""


class Assigned(anywidget.AnyWidget):
    """A widget whose attributes are checked as they are assigned, in its constructor too.

    Otherwise a misspelt one would be taken in silence, and a wrong one be refused in the words of
    traitlets, or only by the next computation.
    """

    #: The request's fields besides the prompt; each names a synced trait of the class.
    fields: ClassVar[tuple[FieldSpec, ...]] = ()
    #: Whether the analysis can run with interventions; `effect` is then chosen.
    takes_interventions: ClassVar[bool] = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in _THEIRS:
            super().__setattr__(name, value)
            return
        if not self.has_trait(name):
            raise self._not_assigned(name)
        if self._closed and name != "selection":  # one that is linked to it goes on
            raise Closed.error()
        try:
            super().__setattr__(name, self._fitted(name, value))
        except t.TraitError:
            kind = cast("str", self.traits()[name].info())  # such as "a unicode string or an int"
            words = kind.replace("unicode string", "text").replace("an int", "a whole number")
            raise RequestError(f"{name} cannot be {short(value)}.", f"Give {words}.") from None

    @property
    def _closed(self) -> bool:
        """Whether there is nothing left behind what the page shows."""
        raise NotImplementedError

    def _view_options(self) -> tuple[str, ...]:
        """The names of the style options that its view reads."""
        raise NotImplementedError

    def _with_known(self, view: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._view_options()
        strange = next((name for name in view if name not in known), None)
        if strange is not None:
            hint = f"{meant(str(strange), known)}There are {', '.join(known)}."
            raise RequestError(f"The view has no option {short(strange)}.", hint)
        return view

    def _assigned(self) -> set[str]:
        """The names of what may be assigned."""
        public = {name for name in self.trait_names() if not name.startswith("_")}
        return public - {*anywidget.AnyWidget.class_trait_names()}

    def _fitted(self, name: str, value: Any) -> Any:
        if name == "prompt" and value is not None:
            return fit(name, value, str)
        if name == "effect":
            return fit(name, value, Effect)
        if name == "view" and isinstance(value, Mapping):
            return self._with_known(value)
        spec = next((field for field in self.fields if field["name"] == name), None)
        if spec is None:
            return value
        if spec["type"] == "choice":
            values = tuple(choice["value"] for choice in spec["choices"])
            return fit(name, value, cast("Any", Literal)[values])
        found = fit(name, value, _KINDS[spec["type"]])
        return _line(found) if spec["type"] == "line" else found

    def _not_assigned(self, name: str) -> RequestError:
        others = () if self.takes_interventions else ("interventions", "effect")
        known = sorted(self._assigned() - {*others})
        kind, hint = type(self).__name__, f"Assigned are {', '.join(known)}."
        if hasattr(type(self), name):
            return RequestError(f"{name} of {kind} is only read.", hint)
        return RequestError(f"{kind} has no {name!r}.", f"{meant(name, known)}{hint}")


def _line(value: Any) -> str:
    """Names or numbers as they are typed."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
