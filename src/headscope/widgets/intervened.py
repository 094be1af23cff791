"""Interventions as a trait: JSON on the wire, `hs.Interventions` in Python."""

from __future__ import annotations

from typing import Any

import traitlets as t

from headscope.errors import RequestError
from headscope.interventions import Interventions


class InterventionsTrait(t.TraitType[Any, Any]):
    """A list of interventions; None for widgets that take none (`takes_interventions`)."""

    default_value = None
    info_text = "interventions, hs.Interventions(), or a list of their JSON"

    def __init__(self) -> None:
        super().__init__(allow_none=True)
        self.tag(sync=True, echo_update=False, to_json=to_json)

    def _validate(self, obj: Any, value: Any) -> Interventions | None:
        if value is None and obj.takes_interventions:
            return Interventions()
        found: Interventions | None = super()._validate(obj, value)
        return found

    def validate(self, obj: Any, value: Any) -> Interventions | None:
        """As `hs.Interventions`."""
        if not obj.takes_interventions:
            raise refusal(type(obj).__name__)
        return value if isinstance(value, Interventions) else Interventions(value)


def refusal(widget: str) -> RequestError:
    """The error of a widget that takes no interventions."""
    return RequestError(
        f"{widget} takes no interventions.",
        "AttentionPatterns, LogitLens, LogitAttribution, SelfRepair, ActivationPatching, "
        "PathPatching, CircuitDiscovery, Intervene, Generation and Explorer do; within `with "
        "interventions.applied(model):` every analysis has them.",
    )


def taken(sent: Any) -> tuple[Interventions, bool]:
    """What the page sent, and whether it is written just as it will be written from here.

    Raises:
        RequestError: It is no list of interventions.
    """
    found = Interventions(sent)
    own = [[*item.items()] for item in found.to_list()]
    return found, own == [[*item.items()] for item in sent]


def to_json(value: Interventions | None, _widget: Any = None) -> list[dict[str, Any]] | None:
    """As it is synced and saved."""
    return None if value is None else value.to_list()
