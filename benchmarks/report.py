"""What was measured, as rows; printed as a table and kept as JSON."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True)
class Row:
    """One measurement: ours, the peer's where there is one, and the target where the issue sets one."""

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> str:
        return "" if self.theirs is None else f"{self.theirs / self.ours:,.1f}x"


def show(rows: list[Row]) -> str:
    """A Markdown table."""
    lines = [
        "| measured | headscope | peer | peer / headscope | target | met |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        theirs = "" if r.theirs is None else f"{r.peer} {r.theirs:,.3g} {r.unit}"
        met = "" if r.met is None else ("yes" if r.met else "NO")
        lines.append(
            f"| {r.what} | {r.ours:,.3g} {r.unit} | {theirs} | {r.ratio} | {r.target} | {met} |"
        )
    return "\n".join(lines)


def keep(rows: list[Row]) -> None:
    """Write the rows and the machine they come from to `benchmarks/out/`."""
    OUT.mkdir(exist_ok=True)
    record = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "rows": [asdict(row) for row in rows],
    }
    (OUT / "results.json").write_text(json.dumps(record, indent=1))
    (OUT / "results.md").write_text(show(rows) + "\n")
