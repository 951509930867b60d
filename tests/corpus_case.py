"""One slide of the corpus: how it is made, and what its analysis must show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpus_recipes import Source
    from numpy.typing import NDArray

DONE, QUARANTINED, EITHER = "done", "quarantined", "either"


@dataclass(frozen=True)
class Case:
    """One slide, and how its analysis ends."""

    name: str
    make: Callable[[Path, Source], object]
    """Writes the slide; may return the working pixels that it shows, (H, W, 3)."""
    end: str = EITHER
    """How the tile stage ends: done, quarantined, or either where chance decides."""
    reason: str = ""
    """What the reason says."""
    file: str = "slide.svs"
    """What the sheet names; the recipe may write other files beside it."""
    slide_mpp: float | None = None
    """Of the sheet."""
    scene: str = ""
    """Of the sheet."""
    working_mpp: float = 0.5
    mpp: float | None = None
    """Of the pyramid, if it is done."""
    unreadable: int | None = None
    """Tiles that are counted as unreadable."""
    others: tuple[str, ...] = ()
    """What is named beside the slide, in its order."""
    detected: bool | None = None
    """Whether tissue is found."""

    def write(self, folder: Path, source: Source) -> Path:
        """Write the slide into a folder of its own and return its path."""
        return self.write_shown(folder, source)[0]

    def write_shown(self, folder: Path, source: Source) -> tuple[Path, NDArray[np.uint8] | None]:
        """Write the slide and return its path and the working pixels, if they are known."""
        path = folder / self.name / self.file
        path.parent.mkdir(parents=True)
        shown = self.make(path, source)
        return path, shown if isinstance(shown, np.ndarray) else None
