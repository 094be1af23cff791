"""What was measured, as rows; printed as a table and kept as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).parent / "out"


class Target(NamedTuple):
    """A bound that the project sets itself."""

    text: str
    test: Callable[[Row], bool]


def below(limit: float, unit: str) -> Target:
    """Ours has to be under `limit`."""
    return Target(f"under {limit:g} {unit}", lambda row: row.ours < limit)


@dataclass(frozen=True)
class Row:
    """One measurement: ours, the peer's where there is one, and the target where one is set.

    A peer without a value did not survive; `note` says what happened.
    """

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    note: str = ""
    target: Target | None = None

    @property
    def ratio(self) -> float:
        """How many times the peer's is ours."""
        return float("nan") if self.theirs is None else self.theirs / self.ours

    @property
    def met(self) -> bool | None:
        """Whether the target is met."""
        return None if self.target is None else self.target.test(self)


HEADINGS = ("measured", "headscope", "peer", "peer / headscope", "target", "met", "note")


def _cells(row: Row) -> tuple[str, ...]:
    known = row.theirs is not None
    return (
        row.what,
        _quantity(row.ours, row.unit),
        f"{row.peer} {_quantity(row.theirs, row.unit) if known else ''}".strip(),
        f"{row.ratio:,.1f}" if known else "",
        row.target.text if row.target else "",
        {None: "", True: "yes", False: "NO"}[row.met],
        row.note,
    )


def _quantity(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.3g} {unit}"


def table(rows: list[Row]) -> str:
    """A Markdown table."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def keep(rows: list[Row]) -> None:
    """Write the rows and the machine they come from to `benchmarks/out/`."""
    OUT.mkdir(exist_ok=True)
    record = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "rows": [dict(zip(HEADINGS, _cells(row), strict=True)) for row in rows],
    }
    (OUT / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    (OUT / "results.md").write_text(table(rows) + "\n")
