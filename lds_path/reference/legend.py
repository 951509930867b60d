"""What the classes and values of an annotation mean for a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.classes import IGNORED_CLASSES, OUTLINE_CLASS
from lds_path.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

BACKGROUND = 0
"""Value of pixels that show glass or none of the classes."""
IGNORE = 255
"""Value of unknown pixels: not learned from and not scored."""
UNLABELLED = ("background", "ignore")
"""What pixels without annotation can mean, besides one of the classes."""


@dataclass(frozen=True)
class Legend:
    """Translates an annotation's classes, or a label image's values, into the model's values.

    Raises
    ------
    UsageError
        If it refers to a class that the model does not have.
    """

    classes: tuple[str, ...]
    """Names of the model's classes, in the order of their values 1, 2, ..."""
    class_map: Mapping[str, str] = field(default_factory=dict)
    """Class of the annotation, or value as text -> class of the model; "" leaves objects out."""
    ignore: tuple[str, ...] = IGNORED_CLASSES
    """Classes of the annotation, or values as text, that become `IGNORE`."""
    unlabelled: str = "background"
    """`background`, `ignore` or a class: the tissue inside the annotated area without a label."""

    def __post_init__(self) -> None:
        known = ", ".join(name for name in self.classes if name)
        for name, target in self.class_map.items():
            if target and target not in self.classes:
                near = did_you_mean(target, filter(None, self.classes))
                hint = f"did you mean '{near}'? The" if near else "the"
                raise UsageError(
                    f"`class_map` turns '{name}' into '{target}', which is no class; {hint} classes"
                    f" are {known}"
                )
        if self.unlabelled not in (*UNLABELLED, *self.classes):
            near = did_you_mean(self.unlabelled, filter(None, (*UNLABELLED, *self.classes)))
            hint = f" (did you mean '{near}'?)" if near else ""
            raise UsageError(
                f"`unlabelled` is '{self.unlabelled}'{hint}, expected {' or '.join(UNLABELLED)} or one of"
                f" the classes {known}"
            )

    @property
    def unlabelled_value(self) -> int:
        """Value of a pixel inside the annotated area that no object covers."""
        if self.unlabelled in self.classes:
            return self._value(self.unlabelled)
        return BACKGROUND if self.unlabelled == "background" else IGNORE

    def value_of(self, name: str) -> int | None:
        """Return the value of an annotation's class; None if its objects are left out.

        Those of `Region*` are, unless something else is asked for: they outline what was exported as
        tissue, region or suggested area, and label nothing.

        Raises
        ------
        KeyError
            If the class is neither one of the model nor listed.
        """
        if name in self.class_map:
            return self._value(self.class_map[name]) if self.class_map[name] else None
        if name in self.ignore:
            return IGNORE
        if name == OUTLINE_CLASS and name not in self.classes:
            return None
        if not name or name not in self.classes:
            raise KeyError(name)
        return self._value(name)

    def table(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the model's value for each value of a label image, and which values are known.

        Values that are not listed stay the same; 0 is not labelled, 255 is `IGNORE`.
        """
        values, known = np.zeros(256, np.uint8), np.zeros(256, np.bool_)
        identical = {value: value for value, name in enumerate(self.classes, start=1) if name}
        mapped = {int(name): self._target(name) for name in self.class_map if name.isdigit()}
        ignored = {int(name): IGNORE for name in self.ignore if name.isdigit()}
        fixed = {0: self.unlabelled_value, 255: IGNORE}
        for value, meaning in (identical | fixed | ignored | mapped).items():
            if value <= IGNORE:
                values[value], known[value] = meaning, True
        return values, known

    def _target(self, name: str) -> int:
        target = self.class_map[name]
        return self._value(target) if target else self.unlabelled_value

    def _value(self, name: str) -> int:
        return self.classes.index(name) + 1


def open_legend(classes: Sequence[str], labels: Mapping[str, Any]) -> Legend:
    """Return the legend that the section `labels` of the configuration describes.

    Raises
    ------
    UsageError
        If it refers to a class that there is not.
    """
    class_map = {name: target or "" for name, target in labels["class_map"].items()}
    return Legend(tuple(classes), class_map, tuple(labels["ignore"]), labels["unlabelled"])


def recode(values: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `table[values]`, read-only, for a table of 256 values; several times as fast."""
    recoded = values.tobytes().translate(table.tobytes())
    return np.frombuffer(recoded, np.uint8).reshape(values.shape)
