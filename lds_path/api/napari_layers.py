"""The result of a slide as layers of napari, which finds `find_reader` by `lds_path/napari.yaml`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from lds_path.api.results import open_result
from lds_path.errors import LdsPathError, UsageError
from lds_path.provenance.cohort import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lds_path.api.multiscale import MultiscaleImage
    from lds_path.api.results import Result
    from lds_path.classes import LabelClass

    Layer = tuple[Any, dict[str, Any], str]
    Reader = Callable[[str | list[str]], list[Layer]]

log = logging.getLogger(__name__)

MAX_OVERVIEW = 16_384
"""Longest side, in pixels, that the coarsest level may have: napari shows it as one texture."""


def find_reader(path: str | list[str]) -> Reader | None:
    """Return what reads a folder for napari, or None unless stages wrote into it.

    Parameters
    ----------
    path
        Folder with the results of a run, or the folder of any stage for one slide, such as
        `results/stitch/case-1`. napari passes a list for several that become one stack: they do not.
    """
    if isinstance(path, list):
        return None
    folder = Path(path).absolute()
    is_results = any((folder / stage).is_dir() for stage in STAGES)
    is_of_slide = folder.parent.name in STAGES and folder.is_dir()
    return read_layers if is_results or is_of_slide else None


def read_layers(path: str | list[str]) -> list[Layer]:
    """Return the slide, its labels, their confidence and the probability of each class.

    Nothing is read before napari shows it. Layers are in microns from the corner of the slide's
    bounds.

    Parameters
    ----------
    path
        See `find_reader`.

    Returns
    -------
    list
        Data, arguments of its layer and kind of layer, for each; only slide and labels are visible.

    Raises
    ------
    UsageError
        If the folder holds the results of several slides.
    StageInputError
        If the slide is not done.
    """
    folder = Path(str(path)).absolute()
    if folder.parent.name in STAGES:
        return list(_layers(open_result(folder.parent.parent, folder.name)))
    names = sorted({place.name for place in (folder / "stitch").glob("*") if place.is_dir()})
    if len(names) > 1:
        raise UsageError(
            f"{folder} holds the results of {len(names)} slides; open the folder of one, such as"
            f" {folder / 'stitch' / names[0]}"
        )
    return list(_layers(open_result(folder, names[0] if names else _first_slide(folder))))


def _first_slide(folder: Path) -> str:
    """Return the id of a slide that is not done, so that opening it says what is missing."""
    places = (place for stage in STAGES for place in sorted((folder / stage).glob("*")))
    return next((place.name for place in places if place.is_dir()), "")


def _layers(result: Result) -> Iterator[Layer]:
    slide, classes = _shown_slide(result), result.classes
    planes = [da.moveaxis(level, 0, -1) for level in slide.levels]  # (H, W, 3)
    yield _layer(result, slide, planes, "image", name="slide", rgb=True)
    yield _layer(
        result,
        result.labels,
        list(result.labels.levels),
        "labels",
        colormap={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), **{c.value: _opaque(c) for c in classes}},
        features={
            "index": [0, *(item.value for item in classes)],
            "class": ["not analysed", *(item.name for item in classes)],
        },
        opacity=0.5,
    )
    confidence = result.confidence
    shown = {"contrast_limits": (0.0, 1.0), "visible": False}
    yield _layer(
        result,
        confidence,
        list(confidence.levels),
        "image",
        colormap="viridis",
        opacity=0.7,
        **shown,
    )
    for number, item in enumerate(classes):
        levels = [level[number] for level in result.probabilities.levels]
        ramp = np.array([[*_opaque(item)[:3], 0.0], _opaque(item)])
        name = f"probability of {item.name}"
        yield _layer(
            result, result.probabilities, levels, "image", name=name, colormap=ramp, **shown
        )


def _shown_slide(result: Result) -> MultiscaleImage:
    """Return the slide, or its pyramid if the file is gone or has no level that is small."""
    try:
        slide = result.slide
    except LdsPathError as error:
        log.warning("%s; its pyramid is shown instead", error)
        return result.pyramid
    return slide if max(slide.levels[-1].shape) <= MAX_OVERVIEW else result.pyramid


def _layer(
    result: Result, image: MultiscaleImage, levels: list[da.Array], kind: str, **shown: Any
) -> Layer:
    """Return an image as a layer.

    Convention: napari places the centre of the first pixel, which lies half a pixel from the
    corner.
    """
    name = f"{result.name} {shown.pop('name', image.name)}"
    common = {
        "name": name,
        "scale": (image.mpp, image.mpp),
        "translate": (image.mpp / 2, image.mpp / 2),
        "units": ("um", "um"),
        "axis_labels": ("y", "x"),
        "multiscale": len(levels) > 1,
        "metadata": {"slide": result.name, "results": str(result.results), "mpp": image.mpp},
    }
    return levels if len(levels) > 1 else levels[0], common | shown, kind


def _opaque(item: LabelClass) -> tuple[float, float, float, float]:
    red, green, blue = (channel / 255 for channel in item.color)
    return red, green, blue, 1.0
