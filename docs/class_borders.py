"""How much of each class lies near another one, over the slides of a run, by dask.

    python docs/class_borders.py results case-1 case-2 --around Tumor --within 100

Every block of every slide is a task: under a `dask.distributed.Client` they run on its workers.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

import lds_path as lds

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure_borders(
    results: str, slides: list[str], *, around: str, within_um: float, mpp: float = 2.0
) -> pd.DataFrame:
    """Return the area of each class within a distance of a class, in mm2, one row a slide."""
    opened = [lds.open_result(results, slide) for slide in slides]
    areas = {result.name: areas_near(result, around, within_um, mpp) for result in opened}
    (computed,) = dask.compute(areas)  # all slides at once
    return pd.DataFrame.from_dict(computed, orient="index").rename_axis("slide")


def areas_near(result: lds.Result, around: str, within_um: float, mpp: float) -> dict[str, Any]:
    """Return class -> area near a class in mm2, yet to be computed."""
    values = {item.name: item.value for item in result.classes}
    level = result.labels.level_near(mpp)
    labels, pixel_um = result.labels.levels[level], result.labels.mpps[level]
    reach = within_um / pixel_um
    near = labels.map_overlap(
        find_near,
        value=values[around],
        reach=reach,
        depth=math.ceil(reach),
        boundary="none",
        dtype=bool,
        meta=np.empty((0, 0), bool),
    )
    mm2 = (pixel_um / 1000) ** 2
    return {name: ((labels == value) & near).sum() * mm2 for name, value in values.items()}


def find_near(labels: NDArray[np.uint8], value: int, reach: float) -> NDArray[np.bool_]:
    """Return where the nearest pixel of a class is at most so many pixels away."""
    others = labels != value
    if others.all():
        return np.zeros(labels.shape, bool)
    return distance_transform_edt(others) <= reach


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results")
    parser.add_argument("slides", nargs="+")
    parser.add_argument("--around", required=True, help="a class of the model, such as Tumor")
    parser.add_argument("--within", type=float, default=100.0, help="um")
    asked = parser.parse_args()
    table = measure_borders(
        asked.results, asked.slides, around=asked.around, within_um=asked.within
    )
    print(table.round(4).to_string())
