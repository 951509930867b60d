"""Results as SpatialData, where that package is installed: the pins of the tests exclude it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import lds_path as lds
from lds_path.api import spatial_data
from lds_path.errors import UsageError

needs_spatialdata = pytest.mark.skipif(
    not spatial_data.find_spec("spatialdata"),
    reason="spatialdata is not installed; it needs older versions of pandas and dask",
)
pytestmark = pytest.mark.filterwarnings("default")


@needs_spatialdata
def test_images_and_labels_have_the_levels_of_the_result(results):
    result = lds.open_result(results.folder, "case-1")
    found = result.to_spatialdata()
    for name in ("pyramid", "labels", "probabilities", "confidence", "density"):
        image, element = getattr(result, name), found[name]
        levels = [element]
        if len(image.levels) > 1:
            levels = [element[f"scale{number}"]["image"] for number in range(len(image.levels))]
        for level, expected in zip(levels, image.levels, strict=True):
            assert level.data.dask  # nothing was read
            np.testing.assert_array_equal(np.squeeze(level.data), np.squeeze(expected))
    assert list(found["probabilities"]["scale0"]["image"].c.values) == list(
        result.probabilities.channels
    )


@needs_spatialdata
def test_every_level_is_placed_in_microns(results):
    from spatialdata.transformations import get_transformation

    result = lds.open_result(results.folder, "case-1")
    found = result.to_spatialdata()
    assert found.coordinate_systems == ["microns"]
    for name in ("pyramid", "labels"):
        for number, affine in enumerate(getattr(result, name).affines):
            place = get_transformation(found[name][f"scale{number}"]["image"], "microns")
            np.testing.assert_allclose(place.to_affine_matrix(("x", "y"), ("x", "y")), affine)
    place = get_transformation(found["confidence"], "microns")
    affine = result.confidence.affines[0]
    np.testing.assert_allclose(place.to_affine_matrix(("x", "y"), ("x", "y")), affine)


@needs_spatialdata
def test_objects_and_classes_come_along(results):
    result = lds.open_result(results.folder, "case-1")
    found = result.to_spatialdata()
    assert found["objects"].equals(result.read_objects())
    table = found["classes"].obs
    assert list(table["class"]) == [item.name for item in result.classes]
    assert list(table["value"]) == [item.value for item in result.classes]


@needs_spatialdata
def test_it_can_be_written_and_read_again(results, tmp_path):
    import spatialdata

    result = lds.open_result(results.folder, "case-1")
    result.to_spatialdata().write(tmp_path / "case-1.zarr")
    read = spatialdata.read_zarr(tmp_path / "case-1.zarr")
    np.testing.assert_array_equal(read["labels"]["scale0"]["image"].data, result.labels.levels[0])
    assert len(read["objects"]) == len(result.read_objects())


@needs_spatialdata
def test_without_objects_the_rest_is_there(results, tmp_path):
    copy = shutil.copytree(results.folder, tmp_path / "results")
    shutil.rmtree(copy / "export")
    found = lds.open_result(copy, "case-1").to_spatialdata()
    assert "objects" not in found
    assert "labels" in found


def test_without_spatialdata_the_package_is_named(results, monkeypatch):
    monkeypatch.setattr(spatial_data, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="pip install spatialdata"):
        lds.open_result(results.folder, "case-1").to_spatialdata()
