"""What napari's reader of results gives, by npe2; and, where napari is installed, its layers."""

from __future__ import annotations

import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path

import dask
import numpy as np
import pytest
from snakemake_run import REPOSITORY

import lds_path
from lds_path.api.napari_layers import find_reader, read_layers
from lds_path.errors import StageInputError, UsageError

npe2 = pytest.importorskip("npe2", reason="npe2 is not installed")

MANIFEST = Path(lds_path.__file__).with_name("napari.yaml")


@pytest.fixture
def read(monkeypatch):
    """Return `npe2.read` with this package as its only plugin."""
    manager = npe2.PluginManager()
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    manager.register(manifest)
    monkeypatch.setattr(npe2.PluginManager, "_PluginManager__instance", manager, raising=False)
    monkeypatch.setattr(npe2.PluginManager, "instance", classmethod(lambda _: manager))
    return lambda path: npe2.read([str(path)], stack=False)


@pytest.fixture
def one(results, tmp_path):
    """Return a folder with the results of a single slide."""
    for stage in results.folder.iterdir():
        shutil.copytree(stage / "case-1", tmp_path / "results" / stage.name / "case-1")
    return tmp_path / "results"


def test_a_slide_of_a_results_folder_becomes_its_layers(read, results):
    layers = read(results.folder / "stitch" / "case-2")
    result = lds_path.open_result(results.folder, "case-2")
    classes = [item.name for item in result.classes]
    names = ["slide", "labels", "confidence", *(f"probability of {name}" for name in classes)]
    assert [meta["name"] for _, meta, _ in layers] == [f"case-2 {name}" for name in names]
    assert [kind for *_, kind in layers] == ["image", "labels"] + ["image"] * (1 + len(classes))
    for _, meta, _ in layers:
        assert meta["units"] == ("um", "um")
        assert meta["translate"] == tuple(length / 2 for length in meta["scale"])
    scales = [meta["scale"][0] for _, meta, _ in layers]
    shown = [result.pyramid, result.labels, result.confidence]
    assert scales == [image.mpp for image in [*shown, *[result.probabilities] * len(classes)]]


def test_every_layer_holds_what_the_result_holds_at_every_level(read, results):
    result = lds_path.open_result(results.folder, "case-2")
    slide, labels, confidence, *probabilities = (
        (data if meta["multiscale"] else [data])
        for data, meta, _ in read(results.folder / "stitch" / "case-2")
    )
    assert len(labels) > 1
    expected = [
        [np.moveaxis(level.compute(), 0, -1) for level in result.pyramid.levels],
        dask.compute(*result.labels.levels),
        dask.compute(*result.confidence.levels),
    ]
    expected += [
        [level[number].compute() for level in result.probabilities.levels]
        for number in range(len(result.classes))
    ]
    for found, wanted in zip([slide, labels, confidence, *probabilities], expected, strict=True):
        for level, own in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(level.compute(), own)


def test_the_labels_have_the_colours_and_names_of_the_classes(read, results):
    _, meta, _ = read(results.folder / "stitch" / "case-2")[1]
    classes = lds_path.open_result(results.folder, "case-2").classes
    assert meta["features"]["class"] == ["not analysed", *(item.name for item in classes)]
    for item in classes:
        assert tuple(round(part * 255) for part in meta["colormap"][item.value][:3]) == item.color


def test_a_folder_with_one_slide_opens_as_that_slide(read, one):
    assert read(one)[0][1]["name"] == "case-1 slide"


def test_of_several_slides_the_folder_of_one_is_asked_for(results):
    with pytest.raises(UsageError, match=r"results of 4 slides; open the folder of one, .*case-1"):
        read_layers(str(results.folder))


def test_the_pyramid_is_shown_where_the_slide_is_gone(read, one, caplog):
    slide = read(one)[0][0]
    pyramid = lds_path.open_result(one, "case-1").pyramid
    np.testing.assert_array_equal(
        slide[0].compute(), pyramid.levels[0].compute().transpose(1, 2, 0)
    )
    assert "its pyramid is shown instead" in caplog.text


def test_a_slide_that_is_not_done_ends_in_one_line(one):
    shutil.rmtree(one / "stitch")
    with pytest.raises(StageInputError, match=r"has no manifest.json: the stage .* did not finish"):
        read_layers(str(one))


def test_other_folders_and_stacks_are_left_to_other_readers(tmp_path, results):
    (tmp_path / "notes").mkdir()
    assert find_reader(str(tmp_path)) is None
    assert find_reader(str(tmp_path / "missing")) is None
    assert find_reader([str(results.folder)]) is None


def test_napari_finds_the_manifest_by_the_entry_point_of_the_package():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (entry,) = project["entry-points"]["napari.manifest"].values()
    module, _, name = entry.partition(":")
    found = Path(find_spec(module).origin).with_name(name)
    assert npe2.PluginManifest.from_file(found).name == project["name"]


@pytest.mark.filterwarnings("ignore")  # of napari itself
def test_napari_shows_the_layers(read, results):
    components = pytest.importorskip("napari.components", reason="napari is not installed")
    from napari.layers import Layer

    viewer = components.ViewerModel()
    for layer in read(results.folder / "stitch" / "case-2"):
        viewer.add_layer(Layer.create(*layer))
    assert {type(layer).__name__ for layer in viewer.layers} == {"Image", "Labels"}
    assert [layer.visible for layer in viewer.layers[:3]] == [True, True, False]
    result = lds_path.open_result(results.folder, "case-2")
    shown, pixels = viewer.layers["case-2 labels"], result.labels.levels[0].compute()
    for row, column in ((700, 900), (20, 40)):
        place = ((row + 0.5) * result.labels.mpp, (column + 0.5) * result.labels.mpp)
        assert shown.get_value(place, world=True)[1] == pixels[row, column]
    for item in result.classes:
        assert tuple(np.round(shown.get_color(item.value)[:3] * 255).astype(int)) == item.color
