"""The reference labels of a slide by the classes of the label image that they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.reference.legend import IGNORE, recode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.geometry import Rectangle
    from lds_path.reference.reference import Reference


@dataclass(frozen=True)
class Annotation:
    """The reference labels of a slide, in working pixels."""

    path: Path
    reference: Reference
    classes: Sequence[LabelClass]

    def read(self, window: Rectangle) -> NDArray[np.uint8]:
        """Return the number of each pixel's class, from 1; 0 is background, 255 unknown."""
        return recode(self.reference.read(window.left, window.top, window.size), self.numbers)

    @property
    def numbers(self) -> NDArray[np.uint8]:
        """The table from label value to number of the class."""
        numbers = np.full(256, IGNORE, np.uint8)
        numbers[0] = 0
        for number, label_class in enumerate(self.classes, start=1):
            numbers[label_class.value] = number
        return numbers
