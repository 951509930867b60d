"""What the stage screen found at each pixel of a slide's overview: a PNG with one value a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lds_path.errors import named_damage
from lds_path.formats.results import ScreenResults

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.provenance.stage_folder import StageFolder

CLASS_MAP_NAME = "screen.png"


@dataclass(frozen=True)
class ClassMap:
    """The class of each pixel of an overview."""

    pixels: NDArray[np.uint8]
    """Class values, (H, W)."""
    results: ScreenResults
    """Classes and scale."""

    def where(self, *names: str) -> NDArray[np.bool_]:
        """Return where one of these classes was found, (H, W); a model may lack some."""
        values = [item.value for item in self.results.classes if item.name in names]
        return np.isin(self.pixels, values)


def write_class_map(folder: Path, pixels: NDArray[np.uint8], classes: Sequence[LabelClass]) -> None:
    """Write class values, (H, W), as a PNG that shows the colours of the classes."""
    palette = np.zeros((256, 3), np.uint8)
    for item in classes:
        palette[item.value] = item.color
    image = Image.fromarray(pixels)
    image.putpalette(palette.tobytes())
    image.save(folder / CLASS_MAP_NAME)


def open_class_map(screen: StageFolder) -> ClassMap:
    """Return the class map in the folder of the stage screen.

    Raises
    ------
    StageInputError
        If the map is missing or damaged, or the manifest lacks its scale.
    """
    results, path = screen.read(ScreenResults), screen.file(CLASS_MAP_NAME)
    with named_damage(path, "screen"), Image.open(path) as image:
        return ClassMap(np.asarray(image), results)
