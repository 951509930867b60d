"""The result of a slide as a SpatialData object, for squidpy, napari-spatialdata and the like."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError, UsageError

if TYPE_CHECKING:
    from lds_path.api.multiscale import MultiscaleImage
    from lds_path.api.results import Result

log = logging.getLogger(__name__)

SYSTEM = "microns"
"""The coordinate system of all elements: microns from the corner of the slide's bounds."""
IMAGES = ("pyramid", "probabilities", "confidence", "density")


def to_spatialdata(result: Result) -> Any:  # noqa: ANN401 - a package that may be absent
    """Return images, labels, objects and classes of a result; see `Result.to_spatialdata`."""
    if find_spec("spatialdata") is None:
        raise UsageError(
            "SpatialData output needs the package spatialdata, which is not installed; run pip"
            " install spatialdata, best in an environment of its own"
        )
    from spatialdata import SpatialData

    return SpatialData(
        images={name: _to_element(getattr(result, name)) for name in IMAGES},
        labels={"labels": _to_element(result.labels)},
        shapes=_shapes(result),
        tables={"classes": _make_table(result)},
        attrs={"slide": result.name, "classes": [item.to_json() for item in result.classes]},
    )


def _to_element(image: MultiscaleImage) -> Any:  # noqa: ANN401
    """Return an image with its own levels, as lazy as they are.

    Convention: as here, SpatialData takes pixels as areas, so that a scale is the whole map.
    """
    from spatialdata.models import Image2DModel, Labels2DModel
    from spatialdata.transformations import Scale
    from xarray import Dataset, DataTree

    is_labels = image.name == "labels"
    model = Labels2DModel if is_labels else Image2DModel
    levels = []
    for level, mpp in zip(image.levels, image.mpps, strict=True):
        pixels = level if is_labels or level.ndim > 2 else level[None]
        names = {} if is_labels else {"c_coords": list(image.channels) or [image.name]}
        place = {SYSTEM: Scale([mpp, mpp], axes=("x", "y"))}
        dims = ("y", "x") if is_labels else ("c", "y", "x")
        levels.append(model.parse(pixels, dims=dims, transformations=place, **names))
    if len(levels) == 1:
        return levels[0]
    found = {f"scale{number}": Dataset({"image": level}) for number, level in enumerate(levels)}
    return DataTree.from_dict(found)


def _shapes(result: Result) -> dict[str, Any]:
    """Return the objects as polygons; none where the stage export did not finish."""
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    try:
        table = result.read_objects()
    except StageInputError as error:
        log.warning("%s; the objects are left out", error)
        return {}
    if table.empty:
        return {}
    return {"objects": ShapesModel.parse(table, transformations={SYSTEM: Identity()})}


def _make_table(result: Result) -> Any:  # noqa: ANN401
    """Return name and colour of each value of the labels."""
    import pandas as pd
    from anndata import AnnData
    from spatialdata.models import TableModel

    classes = pd.DataFrame(
        {
            "region": pd.Categorical(["labels"] * len(result.classes)),
            "value": [item.value for item in result.classes],
            "class": [item.name for item in result.classes],
            "color": ["#{:02x}{:02x}{:02x}".format(*item.color) for item in result.classes],
        },
        index=[str(item.value) for item in result.classes],
    )
    return TableModel.parse(
        AnnData(obs=classes), region="labels", region_key="region", instance_key="value"
    )
