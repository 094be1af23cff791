"""What every result kind can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from headscope.arguments import checked

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from headscope.results import Result


@dataclass(frozen=True)
class NextToken:
    """A candidate for the token after the prompt.

    Args:
        token_id: Its id.
        text: Its text.
        probability: Softmax of the model's own logits at the last position.
    """

    token_id: int
    text: str
    probability: float


class ResultBase(ABC):
    """Saving and figures, the same for every kind."""

    title: str
    result_kind: ClassVar[str]

    @property
    def view(self) -> str:
        """The view that draws it; a kind of result may have several."""
        return self.result_kind

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title!r}, {self._outline()})"

    @abstractmethod
    def _outline(self) -> str:
        """What it holds, in a few words."""

    @abstractmethod
    def to_dataframe(self) -> pd.DataFrame:
        """The numbers, tidy: one row per value."""

    @checked
    def to_plotly(self, **choices: Any) -> Any:
        """The result as a Plotly figure (`plotly.graph_objects.Figure`).

        Args:
            choices: What is drawn. Of a grid: `measure` (its name; the first by default) and, for
                each axis before the last two, its name with an index. Of patterns: `layer` and
                `head`, of those held in full. Of a graph: `measure`, and `kept`, whether only the
                circuit is drawn.

        Raises:
            ResultError: The result does not hold what was chosen.
        """
        from headscope.export.plotly import figure

        return figure(cast("Result", self), **choices)

    def to_svg(self, path: str | Path | None = None, **style: Any) -> Any:
        """The result as an SVG figure; `path` and `style` as of `widget.to_svg`."""
        return self._figures().to_svg(path, **style)

    def to_png(self, path: str | Path | None = None, *, scale: float = 2.0, **style: Any) -> Any:
        """The result as a PNG figure; see `widget.to_png`."""
        return self._figures().to_png(path, scale=scale, **style)

    def to_pdf(self, path: str | Path | None = None, **style: Any) -> Any:
        """The result as a PDF figure; see `widget.to_pdf`."""
        return self._figures().to_pdf(path, **style)

    def _figures(self) -> Any:
        from headscope.export.figure import ResultFigures

        return ResultFigures(cast("Result", self))

    def save(self, path: str | Path) -> Path:
        """Write the result as a safetensors file (no pickle); `hs.load_result(path)` reads it.

        Args:
            path: Where to write; `.safetensors` is added if there is no suffix, missing folders
                are made.

        Raises:
            ResultError: The name says another format, or nothing can be written there; an older
                file of that name then stays.
        """
        from headscope.wire.files import save

        return save(cast("Result", self), path)
