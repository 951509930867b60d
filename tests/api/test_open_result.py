import gzip
import json
import pickle
import shutil

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import lds_path as lds
import lds_path.api
from lds_path.errors import ChangedInputError, LdsPathError, StageInputError, UsageError
from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import Labels, open_labels
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import StitchResults
from lds_path.geometry import Size
from lds_path.options.labels import ExportOptions, StitchOptions
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import open_folder
from lds_path.quality.sample_density import decode_density, read_density
from lds_path.stages.export import export
from lds_path.stages.stitch import stitch


@pytest.fixture(scope="module")
def result(results):
    return lds.open_result(results.folder, "case-1")


@pytest.fixture
def copied(results, tmp_path):
    """A copy of the first slide's results that a test may change."""
    folder = tmp_path / "results"
    for stage in ("tile", "detect", "plan", "segment", "stitch", "export", "assess"):
        shutil.copytree(results.folder / stage / "case-1", folder / stage / "case-1")
    return folder


def to_labels(probabilities, classes):
    values = np.array([item.value for item in classes])
    return np.where(probabilities.any(axis=0), values[probabilities.argmax(axis=0)], 0)


def stitch_again(folder, mpp="working", **options):
    stages = {stage: folder / stage / "case-1" for stage in ("tile", "detect", "stitch")}
    shards = sorted((folder / "segment/case-1").iterdir())
    stitch(
        stages["tile"],
        stages["detect"],
        shards,
        stages["stitch"],
        options=StitchOptions(mpp=mpp, **options),
    )
    return open_folder(stages["stitch"])


# --- images -----------------------------------------------------------------------------------


def test_labels_and_pyramid_are_those_on_disk_at_every_level(results, result):
    with open_labels(open_folder(results.folder / "stitch/case-1")) as labels:
        assert len(result.labels.levels) == labels.level_count
        for level, lazy in enumerate(result.labels.levels):
            expected = labels.read(level, 0, 0, labels.level_size(level))
            np.testing.assert_array_equal(lazy.compute(), expected)
    pyramid = open_pyramid(results.folder / "tile/case-1")
    assert len(result.pyramid.levels) == pyramid.level_count
    for level, lazy in enumerate(result.pyramid.levels):
        expected = pyramid.read(level, 0, 0, pyramid.level_size(level)).transpose(2, 0, 1)
        np.testing.assert_array_equal(lazy.compute(), expected)


def test_the_likeliest_class_is_the_label(result):
    found = result.probabilities.levels[0].compute()
    labels = result.labels.levels[0].compute()
    assert set(np.unique(labels)) == {0, 1, 2}
    np.testing.assert_array_equal(to_labels(found, result.classes), labels)


def test_probabilities_are_those_that_stitch_averaged(results, result):
    folder = open_folder(results.folder / "stitch/case-1")
    stitched, confidence = folder.read(StitchResults), open_confidence(folder)
    highest = result.probabilities.levels[0].compute().max(axis=0)
    labels = result.labels.levels[0].compute()
    for item in result.classes:
        mean = highest[labels == item.value].mean()
        assert mean == pytest.approx(stitched.mean_confidence[item.name], abs=1e-4)
    step = confidence.downsample
    height, width = (side // step * step for side in labels.shape)
    boxes = [
        image[:height, :width].reshape(height // step, step, width // step, step).sum((1, 3))
        for image in (highest, labels > 0)
    ]
    means = boxes[0] / np.maximum(boxes[1], 1)
    stored = confidence.pixels[: height // step, : width // step] / 255
    assert np.abs(means - stored).max() <= 0.5 / 255 + 1e-4


def test_a_coarser_level_of_the_probabilities_is_what_stitch_gives_there(copied, result):
    found = to_labels(result.probabilities.levels[1].compute(), result.classes)
    coarse = stitch_again(copied, mpp=str(2 * result.labels.mpp))
    with open_labels(coarse) as labels:
        np.testing.assert_array_equal(found, labels.read(0, 0, 0, labels.size))


def test_confidence_and_density_are_those_of_stitch(copied, result):
    stitched = stitch_again(copied, density=True, confidence=True)
    np.testing.assert_allclose(
        result.confidence.levels[0].compute(), open_confidence(stitched).pixels / 255, atol=1e-6
    )
    paths = [path / PREDICTIONS_NAME for path in (copied / "segment/case-1").iterdir()]
    height, width = result.density.levels[0].shape
    with Predictions(paths) as predictions:
        mpp, step = 0.5, round(result.density.mpp / 0.5)
        stored = read_density(predictions, Size(width, height), scale=step, mpp=mpp)
    np.testing.assert_array_equal(result.density.levels[0].compute(), decode_density(stored))
    lattice_per_mm2 = 32**2 / (512 * 0.5e-3) ** 2
    assert np.median(result.density.levels[0].compute()) == pytest.approx(lattice_per_mm2, rel=1)


def test_every_image_says_its_axes_channels_and_where_its_pixels_lie(result):
    assert result.labels.axes == result.confidence.axes == ("y", "x")
    assert result.pyramid.axes == result.probabilities.axes == ("c", "y", "x")
    assert result.probabilities.channels == ("Stroma", "Tumor")
    for image in (result.pyramid, result.labels, result.probabilities, result.confidence):
        for level, affine in zip(image.levels, image.affines, strict=True):
            right, bottom, _ = affine @ (level.shape[-1], level.shape[-2], 1)
            assert right == pytest.approx(1300 * 0.5, abs=affine[0, 0])
            assert bottom == pytest.approx(1100 * 0.5, abs=affine[1, 1])
    assert result.labels.level_near(1.1) == 1
    assert "Tumor" in repr(result.probabilities)
    assert "1300 x 1100" in repr(result)


KEYS = st.one_of(
    st.slices(1100), st.integers(-1100, 1099), st.builds(slice, st.none(), st.none(), st.just(-7))
)


def test_lists_of_rows_and_columns_are_taken_axis_by_axis(result, whole):
    rows, columns = [7, 3, 900], [5, 1200]
    lazy = result.labels.levels[0]
    np.testing.assert_array_equal(lazy[rows][:, columns].compute(), whole[rows][:, columns])
    np.testing.assert_array_equal(
        result.pyramid.levels[0][[2, 0], 5, ::-400].compute(),
        result.pyramid.levels[0].compute()[[2, 0], 5, ::-400],
    )


@settings(max_examples=40)
@given(rows=KEYS, columns=st.slices(1300))
def test_any_part_of_a_level_is_that_part_of_the_whole(result, whole, rows, columns):
    part = result.labels.levels[0][rows, columns].compute(scheduler="sync")
    np.testing.assert_array_equal(part, whole[rows, columns])


@pytest.fixture(scope="module")
def whole(result):
    return result.labels.levels[0].compute()


def test_only_what_a_slice_needs_is_read(result, monkeypatch):
    read = []
    original = Labels.read

    def note(labels, level, left, top, size):
        read.append((left, top, size))
        return original(labels, level, left, top, size)

    monkeypatch.setattr(Labels, "read", note)
    result.labels.levels[0][100:130, 40:90].compute()
    assert read == [(40, 100, Size(50, 30))]


# --- names, pickles -----------------------------------------------------------------------------


def images_of(result):
    return [
        result.pyramid,
        result.labels,
        result.confidence,
        result.density,
        result.probabilities,
    ]


def test_an_image_is_named_after_its_content(results, copied, result):
    copy = lds.open_result(copied, "case-1")
    other = lds.open_result(results.folder, "case-2")
    for mine, same, different in zip(*map(images_of, (result, copy, other)), strict=True):
        assert [level.name for level in mine.levels] == [level.name for level in same.levels]
        assert not {level.name for level in mine.levels} & {each.name for each in different.levels}
    names = [level.name for image in images_of(result) for level in image.levels]
    assert len(set(names)) == len(names)


def test_images_and_results_pickle_after_they_were_read(result):
    for image in images_of(result):
        again = pickle.loads(pickle.dumps(image))
        np.testing.assert_array_equal(again.levels[-1].compute(), image.levels[-1].compute())
    assert pickle.loads(pickle.dumps(result)).classes == result.classes


def test_an_array_does_not_mix_two_runs(copied):
    opened = lds.open_result(copied, "case-1")
    before = opened.labels.levels[0]
    stitch_again(copied, mpp="1.0")
    with pytest.raises(ChangedInputError, match=r"stitch/case-1 has changed .* open_result again"):
        before.compute()
    after = lds.open_result(copied, "case-1").labels.levels[0]
    assert after.shape == (550, 650)
    assert after.name != before.name


# --- objects, metrics, manifests ----------------------------------------------------------------


@pytest.fixture
def without_geopandas(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "geopandas", None)


@pytest.mark.usefixtures("without_geopandas")
@pytest.mark.parametrize("frame", ["bounds", "level0"])
def test_objects_are_in_microns_from_the_corner_of_the_images(copied, result, frame):
    folders = (copied / "stitch/case-1", copied / "export/case-1")
    export(*folders, options=ExportOptions(frame=frame))
    opened = lds.open_result(copied, "case-1")
    features = opened.read_objects()["features"]
    labels = opened.labels.levels[0].compute()
    assert {each["properties"]["class"] for each in features} == {"Stroma", "Tumor"}
    for each in features:
        shape = shapely.from_geojson(json.dumps(each["geometry"]))
        found = each["properties"]
        assert shape.area == pytest.approx(found["Area um2"], rel=0.15)
        x, y = (int(value / opened.labels.mpp) for value in shape.representative_point().coords[0])
        value = {item.name: item.value for item in opened.classes}[found["class"]]
        assert (labels[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5] == value).any()


def test_objects_are_a_table_where_geopandas_is_installed(result):
    geopandas = pytest.importorskip("geopandas")
    table = result.read_objects()
    assert isinstance(table, geopandas.GeoDataFrame)
    assert set(table["class"]) == {"Stroma", "Tumor"}
    areas = table.dissolve("class").area
    stored = table.groupby("class")["Area um2"].sum()
    assert areas["Tumor"] == pytest.approx(stored["Tumor"], rel=0.05)


def test_metrics_and_manifests_are_those_of_the_stages(result):
    assert result.metrics["tissue_mm2"]["unit"] == "mm²"
    assert len(result.manifests["segment"]) == 2
    assert result.manifests["stitch"][0].results["pixels"]["Tumor"] > 0


# --- bad input --------------------------------------------------------------------------------


def fail_to_open(folder, slide="case-1"):
    with pytest.raises(LdsPathError) as caught:
        lds.open_result(folder, slide)
    message = str(caught.value)
    assert "\n" not in message
    return message


def change_manifest(folder, **fields):
    path = folder / FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_folder_without_results_is_named(tmp_path):
    assert f"{tmp_path / 'none'} holds no results" in fail_to_open(tmp_path / "none")


@pytest.mark.parametrize(
    ("slide", "expected"),
    [("case-11", "did you mean 'case-1'?"), ("slide", "it has case-1"), ("../case-1", "no slide")],
)
def test_an_unknown_slide_is_answered_with_those_that_there_are(copied, slide, expected):
    assert expected in fail_to_open(copied, slide)


@pytest.mark.parametrize("stage", ["tile", "detect", "stitch"])
def test_a_stage_that_did_not_finish_is_named(copied, stage):
    (copied / stage / "case-1" / FILE_NAME).unlink()
    message = fail_to_open(copied)
    assert f"{stage}/case-1 has no manifest.json" in message
    assert "run it again" in message


def test_the_reason_of_a_quarantine_is_given(copied):
    fields = {"status": "quarantined", "reason": "no tissue", "quarantined_by": "detect"}
    change_manifest(copied / "detect/case-1", **fields)
    assert "its slide is quarantined (no tissue)" in fail_to_open(copied)


def test_predictions_that_the_labels_were_not_made_from_are_refused(copied):
    change_manifest(copied / "segment/case-1/1-of-2", seconds=1.5)
    message = fail_to_open(copied)
    assert "segment/case-1/1-of-2 was written again after" in message
    assert "run stitch again" in message


def test_a_missing_shard_is_named(copied):
    shutil.rmtree(copied / "segment/case-1/2-of-2")
    assert "segment/case-1/2-of-2 is missing" in fail_to_open(copied)


@pytest.mark.parametrize("change", [{"new_section": {}}, {"results": {}}])
def test_a_manifest_of_another_version_says_so(copied, change):
    change_manifest(copied / "stitch/case-1", versions={"lds-path": "9.0"}, **change)
    assert "lds-path 9.0, which wrote it; this is" in fail_to_open(copied)


def test_what_is_not_done_yet_is_named_when_it_is_asked_for(copied):
    for stage in ("export", "assess"):
        shutil.rmtree(copied / stage)
    opened = lds.open_result(copied, "case-1")
    with pytest.raises(StageInputError, match=r"export/case-1 has no manifest.json"):
        opened.read_objects()
    with pytest.raises(StageInputError, match=r"assess/case-1 has no manifest.json"):
        _ = opened.metrics
    with pytest.raises(StageInputError, match="is not there any more; use `pyramid`"):
        _ = opened.slide


def test_objects_of_earlier_labels_are_refused(copied):
    stitch_again(copied, mpp="1.0")
    with pytest.raises(StageInputError, match=r"was written again after .* run export again"):
        lds.open_result(copied, "case-1").read_objects()


def test_damaged_files_are_named_where_they_are_computed(copied):
    opened = lds.open_result(copied, "case-1")
    for path in (copied / "segment/case-1").glob(f"*/{PREDICTIONS_NAME}"):
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StageInputError, match=r"predictions.npz is damaged .* run segment again"):
        opened.probabilities.levels[0].compute()
    (copied / "export/case-1/case-1.geojson.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(StageInputError, match="sha256"):
        opened.read_objects()


def test_the_package_offers_the_names_of_the_api_and_no_others():
    assert set(lds._API) == set(lds.api.__all__) <= set(dir(lds))
    assert {"open_slide", "open_result", "segment"} <= set(lds._API)
    with pytest.raises(AttributeError, match="open_slyde"):
        _ = lds.open_slyde


def test_a_name_that_is_no_text_is_refused(results):
    with pytest.raises(UsageError, match="has no slide '3'"):
        lds.open_result(results.folder, 3)
