"""Whether annotations have the classes that a model is to learn, before any slide is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lds_path.errors import LabelsError, TrainingError, did_you_mean
from lds_path.objects.drawn_objects import read_class_names
from lds_path.reference.label_image import read_values
from lds_path.reference.legend import open_legend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.reference.legend import Legend

GEOJSON = (".geojson", ".json", ".geojson.gz", ".json.gz")
MAX_BYTES = 2**28
"""Of GeoJSON files that are read; the others are left to the training."""
MAX_PIXELS = 2**26
"""Of a label image that is read."""


def check_training(
    classes: Sequence[str],
    labels: Mapping[str, Any],
    learned: Sequence[Path] = (),
    scored: Sequence[Path] = (),
) -> None:
    """Check that labels can teach what a configuration asks for.

    Parameters
    ----------
    classes
        Names of the classes to learn.
    labels
        The section `labels` of the configuration.
    learned, scored
        As `check_annotations` takes them; not looked at where nothing is annotated by hand.

    Raises
    ------
    LabelsError, TrainingError
        As `check_annotations`.
    """
    legend = open_legend(classes, labels)
    check_contrast(legend)
    if learned or scored:
        check_annotations(learned, scored, legend)


def check_contrast(legend: Legend) -> None:
    """Check that there is something to tell apart.

    Raises
    ------
    TrainingError
        If there is a single class: nothing else is learned from.
    """
    if len(legend.classes) == 1:
        name = legend.classes[0]
        raise TrainingError(
            f"`classes` lists only {name}, and what is not {name} is not learned from, so that the"
            f" model would call everything {name}; list a second class, such as Other, and annotate"
            " some of it or, where tissue without annotation belongs to it, set `labels: unlabelled:"
            " Other`"
        )


def check_annotations(learned: Sequence[Path], scored: Sequence[Path], legend: Legend) -> None:
    """Check that annotations have every class to learn and no unknown one.

    Large files are not read: what they hold is found by the training itself.

    Parameters
    ----------
    learned, scored
        Annotations of the splits `train` and `tune`.
    legend
        Meaning of their classes and values.

    Raises
    ------
    LabelsError
        If a file cannot be read, or has a class or value that the legend does not know.
    TrainingError
        If no annotation to learn from has a class, or there is a single class.
    """
    check_contrast(legend)
    budget, is_complete = MAX_BYTES, True
    found = {legend.unlabelled_value}
    everything = set(range(1, len(legend.classes) + 1))
    for path in (*learned, *scored):
        values: set[int] | None
        if path.name.lower().endswith(GEOJSON):
            budget -= path.stat().st_size if path.is_file() else 0
            values = _drawn_values(path, legend) if budget >= 0 else None
        elif everything <= found or path not in learned:
            continue
        else:
            values = read_values(path, legend, max_pixels=MAX_PIXELS)
        if path in learned:
            found |= values or set()
            is_complete = is_complete and values is not None
    if is_complete and everything - found:
        raise _missing_class(legend, min(everything - found), learned, found)


def value_of(path: Path, name: str, legend: Legend) -> int | None:
    """Return the value of a class in a file; None if its objects are left out.

    Raises
    ------
    LabelsError
        If the class is unknown.
    """
    try:
        return legend.value_of(name)
    except KeyError:
        known = ", ".join(filter(None, legend.classes))
        near = did_you_mean(name, filter(None, legend.classes))
        remedy = f"did you mean '{near}'? Change" if near else "change"
        subject = f"an object of the class '{name}'" if name else "an object without a class"
        raise LabelsError(
            f"{path} has {subject}, but the classes are {known}; {remedy} it in QuPath, or list it"
            " in `class_map` or `ignore`"
        ) from None


def _drawn_values(path: Path, legend: Legend) -> set[int]:
    values = {value_of(path, name, legend) for name in read_class_names(path)}
    return {value for value in values if value is not None}


def _missing_class(
    legend: Legend, value: int, learned: Sequence[Path], found: set[int]
) -> TrainingError:
    files = (
        learned[0].name if len(learned) == 1 else f"{learned[0].name} or {len(learned) - 1} more"
    )
    known = [name for number, name in enumerate(legend.classes, 1) if number in found]
    return TrainingError(
        f"no annotation of the split 'train' has the class '{legend.classes[value - 1]}' ({files}:"
        f" {', '.join(known) or 'none of the classes'}); annotate some, map another class to it in"
        " `class_map`, or take it out of `classes`"
    )
