import re
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from stage_results import detect_results, segment_results, tile_results

from lds_path.classes import LabelClass
from lds_path.errors import StageInputError
from lds_path.formats.labels.label_images import Labels
from lds_path.formats.predictions import (
    Prediction,
    PredictionWriter,
    encode_grid,
    encode_probability,
)
from lds_path.formats.regions import write_regions
from lds_path.geometry import Frame, Region, Size, tile_starts
from lds_path.options.labels import StitchOptions
from lds_path.provenance.manifest import FILE_NAME, read_manifest, write_json
from lds_path.provenance.stage_run import run_stage
from lds_path.quality import sample_density
from lds_path.stages.stitch import stitch

SIDE, OVERLAP, LATTICE, MPP, MASK_STEP = 512, 64, 64, 0.5, 16
CLASSES = [
    {"value": 1, "name": "Stroma", "color": [200, 120, 160]},
    {"value": 4, "name": "Tumor", "color": [255, 0, 0]},
]


def regions_of(size):
    starts = [
        (left, top)
        for top in tile_starts(size.height, SIDE, OVERLAP)
        for left in tile_starts(size.width, SIDE, OVERLAP)
    ]
    return [
        Region(index, left, top, Size(SIDE, SIDE), Size(LATTICE, LATTICE))
        for index, (left, top) in enumerate(starts)
    ]


def smooth_grid(lattice):
    y, x = np.meshgrid(
        *((np.arange(side) + 0.5) / side * 2 - 1 for side in (lattice.height, lattice.width)),
        indexing="ij",
    )
    dx = 0.3 * np.sin(np.pi * x) / np.pi * np.cos(2 * y)
    dy = 0.3 * np.sin(np.pi * y) / np.pi * np.cos(2 * x)
    return np.stack([x + dx, y + dy], axis=-1)


def predict(region, tumor):
    """Return the prediction of a network that knows the probability of tumor everywhere."""
    grid = encode_grid(smooth_grid(region.lattice))
    position = (grid.astype(np.float64) / 65535) * SIDE
    probability = tumor(region.left + position[..., 0], region.top + position[..., 1])
    both = encode_probability(np.stack([1 - probability, probability]))
    return Prediction(region, both, grid, np.ones((4, 4), np.float16))


def save_stages(folder, size, tumor, *, mask=None, shards=1, order=1, mpp=MPP):
    """Write what tile, detect and segment would have, and return the folders."""
    regions = regions_of(size)
    frame = Frame(mpp, 2.0, 30, 40)
    if mask is None:
        mask = np.ones((-(-size.height // MASK_STEP), -(-size.width // MASK_STEP)), bool)

    def tile(*_):
        return tile_results(size, mpp=mpp, downsample=2.0, left_l0=30, top_l0=40)

    def detect(path, _):
        write_regions(path / "regions.tsv", regions, [1.0] * len(regions), frame)
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(path / "tissue.png")
        return detect_results(float(MASK_STEP))

    def segment(part):
        def work(path, _):
            with PredictionWriter(path / "predictions.npz") as writer:
                for region in part:
                    writer.write(predict(region, tumor))
            return segment_results(map(LabelClass.from_json, CLASSES))

        return work

    run_stage("tile", folder / "tile", tile, inputs={}, parameters={}, slide="a slide")
    above = {"tile": folder / "tile"}
    overlap = {"overlap": OVERLAP}
    run_stage("detect", folder / "detect", detect, inputs=above, parameters=overlap)
    folders = []
    for shard in range(shards):
        folders.append(folder / f"segment_{shard}")
        part = segment(regions[shard::shards][::order])
        run_stage("segment", folders[-1], part, inputs=above, parameters={})
    return folder / "tile", folder / "detect", folders


def read_all(path):
    with Labels(path / "a slide.labels.ome.tif") as labels:
        return labels.read(0, 0, 0, labels.size)


def certain(x, y):
    return np.ones_like(x)


def disc(center, radius):
    """Probability that crosses one half on a circle."""

    def tumor(x, y):
        distance = np.hypot(x - center[0], y - center[1])
        return np.clip((radius - distance) / 40 + 0.5, 0, 1)

    return tumor


@pytest.fixture(scope="module")
def disc_stages(tmp_path_factory):
    size = Size(1300, 1210)
    return size, save_stages(tmp_path_factory.mktemp("disc"), size, disc((611.3, 597.8), 301.4))


@pytest.mark.parametrize("mpp", ["working", "1.0", "1.37", "8"])
def test_what_is_certain_everywhere_comes_back_everywhere(tmp_path, mpp):
    size = Size(1130, 700)
    folders = save_stages(tmp_path, size, certain)
    results = stitch(*folders, tmp_path / "out", options=StitchOptions(mpp=mpp)).results
    labels = read_all(tmp_path / "out")
    asked = MPP if mpp == "working" else float(mpp)
    scale = asked / MPP
    assert labels.shape == tuple(np.ceil(np.divide((700, 1130), scale) - 1e-3))
    assert np.all(labels == 4)
    assert np.all(np.asarray(Image.open(tmp_path / "out" / "confidence.png")) == 255)
    assert results["pixels"] == {"Stroma": 0, "Tumor": labels.size}
    assert results["mean_confidence"] == {"Tumor": 1}
    assert results["mpp"] == pytest.approx(asked)
    assert results["downsample"] == pytest.approx(2 * scale)
    assert (results["left_l0"], results["top_l0"]) == (30, 40)


@pytest.mark.parametrize("mpp", ["working", "1.0", "2.3"])
def test_a_disc_lies_within_a_working_pixel_of_its_place_at_every_level(tmp_path, disc_stages, mpp):
    _, folders = disc_stages
    stitch(*folders, tmp_path / "out", options=StitchOptions(mpp=mpp))
    with Labels(tmp_path / "out" / "a slide.labels.ome.tif") as labels:
        for level in range(labels.level_count):
            scale = labels.mpp / MPP * 2**level
            rows, columns = np.nonzero(labels.read(level, 0, 0, labels.level_size(level)) == 4)
            assert (columns.mean() + 0.5) * scale == pytest.approx(611.3, abs=1)
            assert (rows.mean() + 0.5) * scale == pytest.approx(597.8, abs=1)
            assert np.sqrt(rows.size / np.pi) * scale == pytest.approx(301.4, abs=1)


def test_every_pixel_of_the_disc_is_right_but_for_its_border(tmp_path, disc_stages):
    size, folders = disc_stages
    stitch(*folders, tmp_path / "out", options=StitchOptions(mpp="working"))
    y, x = np.mgrid[: size.height, : size.width] + 0.5
    distance = np.hypot(x - 611.3, y - 597.8) - 301.4
    expected = np.where(distance < 0, 4, 1)
    wrong = read_all(tmp_path / "out") != expected
    assert not wrong[np.abs(distance) > 2].any()


@pytest.mark.parametrize(("threads", "shards", "order"), [(3, 1, 1), (1, 3, 1), (2, 2, -1)])
def test_neither_threads_nor_shards_nor_their_order_change_a_byte(
    tmp_path, disc_stages, threads, shards, order
):
    size, folders = disc_stages
    again = save_stages(tmp_path, size, disc((611.3, 597.8), 301.4), shards=shards, order=order)
    again = (*again[:2], again[2][::order])
    first = stitch(*folders, tmp_path / "one")
    other = stitch(*again, tmp_path / "other", threads=threads)
    assert other.results == first.results
    for name in ("a slide.labels.ome.tif", "confidence.png"):
        expected = (tmp_path / "one" / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() == expected


def test_outside_the_tissue_all_is_0(tmp_path):
    size = Size(800, 600)
    mask = np.zeros((38, 50), bool)
    mask[:, :25] = True
    folders = save_stages(tmp_path, size, certain, mask=mask)
    results = stitch(*folders, tmp_path / "out", options=StitchOptions(mpp="working")).results
    labels = read_all(tmp_path / "out")
    assert np.all(labels[:, :399] == 4)  # the mask's edge lies at 25 * 16 = 400
    assert np.all(labels[:, 401:] == 0)
    assert results["pixels"]["Tumor"] == np.count_nonzero(labels)
    confidence = np.asarray(Image.open(tmp_path / "out" / "confidence.png"))
    step = results["confidence_downsample"]
    assert step == 16
    assert confidence.shape == (38, 50)
    assert np.all(confidence[:, 26:] == 0)


def test_confidence_is_the_mean_winning_probability(tmp_path):
    size = Size(600, 512)
    folders = save_stages(tmp_path, size, lambda x, y: np.full_like(x, 0.8))
    results = stitch(*folders, tmp_path / "out").results
    assert results["mean_confidence"] == {"Tumor": 0.8}
    assert np.all(np.asarray(Image.open(tmp_path / "out" / "confidence.png")) == 204)


def test_the_confidence_is_written_as_ome_tiff_on_request(tmp_path):
    folders = save_stages(tmp_path, Size(600, 512), disc((300, 250), 100))
    stitch(*folders, tmp_path / "out", options=StitchOptions(confidence=True))
    expected = np.asarray(Image.open(tmp_path / "out" / "confidence.png"))
    with tifffile.TiffFile(tmp_path / "out" / "a slide.confidence.ome.tif") as file:
        np.testing.assert_array_equal(file.pages.first.asarray(), expected)
        assert 'PhysicalSizeX="8.0"' in file.pages.first.description


def test_the_density_on_request_counts_the_samples_and_lies_where_they_are(tmp_path):
    folders = save_stages(tmp_path, Size(SIDE, SIDE), certain)
    stitch(*folders, tmp_path / "out", options=StitchOptions(density=True))
    with tifffile.TiffFile(tmp_path / "out" / "a slide.density.ome.tif") as file:
        values = file.pages.first.asarray()
        text = file.pages.first.description
    assert 'PhysicalSizeX="8.0"' in text
    assert "2 ** ((value - 1) / 10)" in text
    assert values.shape == (SIDE // 16, SIDE // 16)
    samples = (2 ** ((values.astype(float) - 1) / 10)).sum() * 0.008**2
    assert samples == pytest.approx(LATTICE**2, rel=0.03)
    assert values[:, [0, -1]].min() > values[14:18, 14:18].max()  # `smooth_grid` avoids the middle


def test_the_density_image_has_the_frame_of_the_confidence(tmp_path):
    folders = save_stages(tmp_path, Size(1301, 901), certain)
    stitch(
        *folders, tmp_path / "out", options=StitchOptions(mpp="0.8", density=True, confidence=True)
    )
    frames = []
    for name in ("confidence", "density"):
        with tifffile.TiffFile(tmp_path / "out" / f"a slide.{name}.ome.tif") as file:
            sizes = re.findall('(?:Physical)?Size[XY]="[^"]+"', file.pages.first.description)
            frames.append((file.pages.first.shape, sizes))
    assert frames[0] == frames[1]


def test_strips_do_not_change_the_density(tmp_path, monkeypatch):
    folders = save_stages(tmp_path, Size(1300, 900), certain)
    for rows in (7, 512):
        monkeypatch.setattr(sample_density, "STRIP_ROWS", rows)
        stitch(*folders, tmp_path / str(rows), options=StitchOptions(density=True))
    first, second = (
        (tmp_path / rows / "a slide.density.ome.tif").read_bytes() for rows in ("7", "512")
    )
    assert first == second


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_labels_are_written_as_ome_zarr_on_request(tmp_path, version):
    folders = save_stages(tmp_path, Size(600, 512), disc((300, 250), 100))
    stitch(*folders, tmp_path / "out", options=StitchOptions(zarr=version))
    group = zarr.open_group(tmp_path / "out" / "a slide.labels.ome.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], read_all(tmp_path / "out"))


@pytest.mark.parametrize("mpp", ["0.25", "0.52"])
def test_nothing_is_upsampled_and_nearly_the_working_mpp_is_the_working_mpp(tmp_path, mpp):
    folders = save_stages(tmp_path, Size(500, 400), certain)
    assert stitch(*folders, tmp_path / "out", options=StitchOptions(mpp=mpp)).results["mpp"] == MPP
    assert read_all(tmp_path / "out").shape == (400, 500)


def test_a_missing_shard_is_named(tmp_path):
    tile, detect, segment = save_stages(tmp_path, Size(1300, 600), certain, shards=3)
    with pytest.raises(StageInputError, match=r"lack region 1 .*regions.tsv.*every shard"):
        stitch(tile, detect, [segment[0], segment[2]], tmp_path / "out")


def test_predictions_of_other_regions_are_refused(tmp_path):
    tile, _, segment = save_stages(tmp_path / "a", Size(1300, 600), certain)
    _, detect, _ = save_stages(tmp_path / "b", Size(600, 600), certain)
    with pytest.raises(StageInputError, match="have other regions"):
        stitch(tile, detect, segment, tmp_path / "out")


def change_classes(folder, classes):
    manifest = asdict(read_manifest(folder))
    manifest["results"]["classes"] = classes
    write_json(folder / FILE_NAME, manifest)


def test_shards_of_different_models_are_refused(tmp_path):
    tile, detect, segment = save_stages(tmp_path, Size(1300, 600), certain, shards=2)
    change_classes(segment[1], CLASSES[::-1])
    with pytest.raises(StageInputError, match=r"segment_1 has other classes than .*segment_0"):
        stitch(tile, detect, segment, tmp_path / "out")


def test_probabilities_that_do_not_fit_the_classes_are_refused(tmp_path):
    tile, detect, segment = save_stages(tmp_path, Size(600, 600), certain)
    change_classes(segment[0], CLASSES[:1])
    with pytest.raises(StageInputError, match=r"2 probabilities.*1 classes"):
        stitch(tile, detect, segment, tmp_path / "out")


def test_a_mask_that_cannot_be_read_is_named(tmp_path):
    tile, detect, segment = save_stages(tmp_path, Size(600, 600), certain)
    (detect / "tissue.png").write_bytes(b"")
    with pytest.raises(StageInputError, match=r"tissue.png is damaged .*run detect again"):
        stitch(tile, detect, segment, tmp_path / "out")


def test_a_quarantined_slide_is_passed_on(tmp_path):
    tile, detect, segment = save_stages(tmp_path, Size(600, 600), certain)
    manifest = asdict(read_manifest(detect))
    shutil.rmtree(detect)
    detect.mkdir()
    manifest |= {"status": "quarantined", "reason": "no tissue", "quarantined_by": "detect"}
    write_json(detect / FILE_NAME, manifest)
    found = stitch(tile, detect, segment, tmp_path / "out")
    assert (found.status, found.reason) == ("quarantined", "no tissue")
