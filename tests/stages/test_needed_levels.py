"""A pyramid of which only the coarse levels are stored is read like one that is whole."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from corpus_levels import set_tiles
from small_slides import save_random_model
from stage_results import detect_results

from lds_path.errors import ChangedInputError, StageInputError
from lds_path.formats.pyramid import PYRAMID_NAME, Pyramid, open_pyramid
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.formats.slide_pixels import origin
from lds_path.formats.slide_pixels.finer_levels import FinerLevels
from lds_path.formats.texture import TEXTURE_NAME
from lds_path.geometry import Rectangle, Region, Size
from lds_path.inference.region_tensors import read_energies
from lds_path.inference.runner import Runner
from lds_path.models.checkpoint import load_model
from lds_path.network.spec import NetworkSpec
from lds_path.options.slides import TileOptions
from lds_path.pixels.texture import energies_of_codes
from lds_path.provenance.fingerprint import COPIES
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.stages import tile as stage
from lds_path.stages.segment import segment
from lds_path.stages.tile import tile

GLASS = (243, 240, 242)
FINEST = 2
STEPS = (1, 4, 8)


@pytest.fixture(autouse=True)
def _no_slide_is_small(monkeypatch):
    monkeypatch.setattr(stage, "SMALL_PIXELS", 0)


def patchwork(height, width, seed=0, patch=40):
    """Return patches of random colours with noise, which differ at every level."""
    random = np.random.default_rng(seed)
    shape = (height // patch + 1, width // patch + 1, 1)
    patches = np.kron(random.integers(60, 180, (*shape[:2], 3)), np.ones((patch, patch, 1)))
    noise = random.integers(-30, 31, (height, width, 3))
    return (patches[:height, :width] + noise).astype(np.uint8)


def halved(pixels, times):
    for _ in range(times):
        below = pixels.astype(np.uint16)
        below = np.pad(below, [(0, length % 2) for length in below.shape[:2]] + [(0, 0)], "edge")
        rows = below[0::2] + below[1::2]
        pixels = ((rows[:, 0::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)
    return pixels


def write_slide(path, pixels, *, steps=STEPS, level=halved, mpp=0.5):
    with tifffile.TiffWriter(path) as writer:
        for step in steps:
            times = step.bit_length() - 1
            writer.write(
                pixels if step == 1 else level(pixels, times),
                subfiletype=int(step > 1), tile=(128, 128), photometric="rgb",
                compression="deflate", metadata=None, resolution=(1e4 / mpp / step,) * 2,
                resolutionunit="CENTIMETER",
            )  # fmt: skip
    return path


def tile_both(slide, folder, **options):
    """Return the pyramid of which some levels are stored, and the whole one, of one slide."""
    tile(slide, folder / "needed", options=TileOptions(finest_level=FINEST, **options))
    tile(slide, folder / "all", options=TileOptions(levels="all", finest_level=FINEST, **options))
    return open_pyramid(folder / "needed"), open_pyramid(folder / "all")


def same_level(needed, whole, level):
    size = whole.level_size(level)
    return np.array_equal(needed.read(level, 0, 0, size), whole.read(level, 0, 0, size))


def stored_from(folder):
    return read_manifest(folder).results.get("stored_from")


# --- one pyramid -----------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(1,), STEPS])
@pytest.mark.parametrize("mpp", [0.5, 0.25, 0.2])
def test_every_level_reads_as_if_all_were_stored(tmp_path, steps, mpp):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1301, 1637), steps=steps, mpp=mpp)
    needed, whole = tile_both(slide, tmp_path)
    assert needed.finest == min(FINEST, whole.level_count - 1)
    assert (needed.sizes, needed.frame) == (whole.sizes, whole.frame)
    for level in range(whole.level_count):
        size = whole.level_size(level)
        difference = needed.read(level, 0, 0, size).astype(int) - whole.read(level, 0, 0, size)
        # Means of means are rounded twice, those of a scanner's level once.
        assert np.abs(difference).max() <= (0 if level < needed.finest or steps == (1,) else 1)


def test_only_the_levels_that_are_needed_are_on_the_disk(tmp_path):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1300, 1600))
    tile_both(slide, tmp_path)
    store = tmp_path / "needed" / PYRAMID_NAME
    assert sorted(path.name for path in store.iterdir() if path.is_dir()) == ["2"]
    results = read_manifest(tmp_path / "needed").results
    assert (results["levels"], results["finest_level"]) == (3, 2)


def test_a_pixel_does_not_depend_on_the_rectangle_it_is_read_in(tmp_path):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1300, 1600), mpp=0.4)
    needed, whole = tile_both(slide, tmp_path)
    for level in (0, 1):
        window = Rectangle(137, 211, Size(301, 99))
        part = needed.read(level, window.left, window.top, window.size)
        assert np.array_equal(part, whole.read(level, 0, 0, whole.level_size(level))[window.slices])


def test_a_small_slide_is_stored_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SMALL_PIXELS", 1300 * 1600)
    slide = write_slide(tmp_path / "slide.tif", patchwork(1300, 1600))
    needed, _ = tile_both(slide, tmp_path)
    assert needed.finest == 0


def energies_of(folder, spec, monkeypatch):
    """Return the texture of a region in the slide's corner, and the levels that were read for it."""
    asked, read_level = [], Pyramid.read

    def spy(self, level, *window):
        asked.append(level)
        return read_level(self, level, *window)

    monkeypatch.setattr(Pyramid, "read", spy)
    region = Region(0, 1024, 1024, Size(512, 512), Size(64, 64))
    levels = read_energies(open_pyramid(folder), region, spec, range(1, 4))
    return levels[0][0].numpy(), asked


@pytest.mark.parametrize("steps", [(1,), (1, 2, 4, 8)])
def test_texture_is_stored_where_its_pixels_are_not(tmp_path, steps, monkeypatch):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1301, 1637), steps=steps)
    spec = NetworkSpec(2, texture=True)
    found = {}
    for name, finest in (("with", FINEST), ("whole", 1)):
        options = TileOptions(finest_level=finest, texture_level=1)
        results = tile(slide, tmp_path / name, options=options).results
        assert results.get("texture_level") == (1 if finest == FINEST else None)
        assert (tmp_path / name / TEXTURE_NAME).exists() == (finest == FINEST)
        found[name], asked = energies_of(tmp_path / name, spec, monkeypatch)
        assert asked == ([] if finest == FINEST else [1])
    assert found["with"].shape == (9, 32, 32)
    assert found["with"].max() > 0.05
    # Beyond the edges there is none: half of the region to the right, and most of it below.
    codes = energies_of_codes()
    np.testing.assert_allclose(found["with"], found["whole"], atol=1.1 * np.diff(codes)[200])
    assert (found["with"] == found["whole"]).mean() > 0.95


def test_a_missing_file_of_the_texture_is_named(tmp_path):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1300, 1600))
    options = TileOptions(finest_level=FINEST, texture_level=0)
    tile(slide, tmp_path / "tile", options=options)
    next((tmp_path / "tile" / TEXTURE_NAME).rglob("c/0/0/0")).unlink()
    with pytest.raises(StageInputError, match=r"texture\.zarr is damaged \(1 of its .* missing"):
        open_pyramid(tmp_path / "tile")


def test_glass_is_still_background(tmp_path):
    pixels = np.empty((2048, 2048, 3), np.uint8)
    pixels[:] = GLASS
    pixels[600:1500, 600:1500] = patchwork(900, 900)
    needed, whole = tile_both(write_slide(tmp_path / "slide.tif", pixels), tmp_path)
    assert needed.background == whole.background
    assert same_level(needed, whole, FINEST)


# --- levels of the scanner ---------------------------------------------------------------------


def shifted(pixels, times):
    return halved(np.roll(pixels, 2 ** (times - 1), axis=1), times)


def decimated(pixels, times):
    return pixels[:: 2**times, :: 2**times]


def dark(pixels, times):
    return halved(pixels, times) - 5


@pytest.mark.parametrize("level", [shifted, decimated, dark])
def test_a_level_that_shows_something_else_is_not_used(tmp_path, level):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1280, 1536, patch=5), level=level)
    needed, whole = tile_both(slide, tmp_path)
    assert stored_from(tmp_path / "needed") is None
    assert same_level(needed, whole, FINEST)


def noisy(pixels, times):
    """Return a level with noise, as strong compression leaves it."""
    level = halved(pixels, times)
    noise = np.random.default_rng(times).normal(0, 7, level.shape)
    return np.clip(level + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize(("tolerance", "used"), [(0.3, None), (0.5, 1)])
def test_the_tolerance_decides_whether_a_level_with_noise_is_used(tmp_path, tolerance, used):
    slide = write_slide(tmp_path / "a.tif", patchwork(1280, 1536, patch=5), level=noisy)
    tile(
        slide,
        tmp_path / "out",
        options=TileOptions(finest_level=FINEST, level_tolerance=tolerance),
    )
    assert stored_from(tmp_path / "out") == used


def test_a_good_level_spares_the_reading_of_level_0(tmp_path, monkeypatch):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1280, 1536))
    read = []
    read_region = stage.LevelReader.read

    def spy(self, level, window):
        read.append((level, window.size.area))
        return read_region(self, level, window)

    monkeypatch.setattr(stage.LevelReader, "read", spy)
    tile(slide, tmp_path / "out", options=TileOptions(finest_level=FINEST))
    assert stored_from(tmp_path / "out") == 1
    assert {level for level, _ in read} == {0}  # the windows that are compared, and no block
    assert sum(area for _, area in read) < 16 * (66 * 4) ** 2 + 1


def test_a_level_that_none_confirms_is_not_used(tmp_path):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1280, 1536), steps=(1, 4))
    tile(slide, tmp_path / "out", options=TileOptions(finest_level=FINEST))
    assert stored_from(tmp_path / "out") is None


@pytest.mark.parametrize("flaw", ["lost", "mixed", "spoilt"])
def test_parts_of_a_level_that_are_wrong_are_computed(tmp_path, flaw):
    pixels = patchwork(2048, 2048)
    slide = write_slide(tmp_path / "slide.tif", pixels)
    with tifffile.TiffFile(slide) as file:
        offsets, counts = file.pages[1].dataoffsets, file.pages[1].databytecounts
    if flaw == "spoilt":
        with slide.open("r+b") as stream:
            stream.seek(offsets[5])
            stream.write(b"\x5a" * counts[5])
    elif flaw == "mixed":
        set_tiles(slide, 1, {5: (offsets[10], counts[10])})
    else:
        white = write_slide(
            tmp_path / "white.tif", np.full((128, 128, 3), 255, np.uint8), steps=(1,)
        )
        with tifffile.TiffFile(white) as file:
            content = white.read_bytes()[file.pages[0].dataoffsets[0] :][
                : file.pages[0].databytecounts[0]
            ]
        set_tiles(slide, 1, {5: (slide.stat().st_size, len(content))})
        with slide.open("ab") as stream:
            stream.write(content)
    needed, whole = tile_both(slide, tmp_path)
    assert stored_from(tmp_path / "needed") == 1
    assert same_level(needed, whole, FINEST)


# --- the slide -----------------------------------------------------------------------------------


@pytest.fixture
def tiled(tmp_path):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1280, 1536))
    tile(slide, tmp_path / "tile", options=TileOptions(finest_level=FINEST))
    return tmp_path / "tile"


def test_without_its_slide_a_pyramid_gives_what_it_holds(tiled, tmp_path):
    (tmp_path / "slide.tif").rename(tmp_path / "moved.tif")
    pyramid = open_pyramid(tiled)
    assert pyramid.read(FINEST, 0, 0, Size(9, 9)).shape == (9, 9, 3)
    assert origin.slide_input(tiled) == {}
    with pytest.raises(StageInputError, match=r"slide\.tif is not there any more.*--levels all"):
        pyramid.read(0, 0, 0, Size(9, 9))


def test_another_slide_under_the_same_name_is_refused(tiled, tmp_path):
    write_slide(tmp_path / "slide.tif", patchwork(1280, 1536, seed=1))
    for read in (origin.slide_input, lambda folder: open_pyramid(folder).read(0, 0, 0, Size(9, 9))):
        with pytest.raises(StageInputError, match=r"slide\.tif has changed since .*run tile again"):
            read(tiled)


def test_a_copy_of_the_same_bytes_is_the_slide(tiled, tmp_path):
    content = (tmp_path / "slide.tif").read_bytes()
    (tmp_path / "slide.tif").unlink()
    (tmp_path / "slide.tif").write_bytes(content)
    recorded = read_manifest(tiled).inputs["slide"]
    assert origin.slide_input(tiled)["slide"].known == recorded
    assert open_pyramid(tiled).read(0, 0, 0, Size(9, 9)).shape == (9, 9, 3)


def test_a_job_reads_the_copy_that_it_was_given(tiled, tmp_path, monkeypatch):
    slide = (tmp_path / "slide.tif").absolute()
    copies = tmp_path / "copies"
    copy = copies / slide.relative_to("/")
    copy.parent.mkdir(parents=True)
    slide.rename(copy)
    monkeypatch.setenv(COPIES, str(copies))
    assert origin.slide_input(tiled)["slide"].path == copy
    assert open_pyramid(tiled).read(0, 0, 0, Size(9, 9)).shape == (9, 9, 3)


# --- segment ---------------------------------------------------------------------------------------


SPEC = NetworkSpec(
    2, channels=(4, 8), density_channels=(4, 8, 8), kernel_width=0.15, shared_features=False
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("model"), SPEC)


def segment_both(slide, folder, model, **options):
    """Return the manifests of segment on both pyramids, whose folders hold the predictions."""
    tile_both(slide, folder)
    size, lattice = Size(512, 512), Size(128, 128)
    regions = [
        Region(number, left, top, size, lattice)
        for number, (left, top) in enumerate([(0, 0), (448, 0), (0, 448), (448, 448), (896, 896)])
    ]
    manifests = []
    for name in ("needed", "all"):
        frame = open_pyramid(folder / name).frame

        def detect(output, _, frame=frame):
            write_regions(output / REGIONS_NAME, regions, [1.0] * len(regions), frame)
            return detect_results(100, regions=len(regions))

        plan = folder / f"plan-{name}"
        inputs = {"tile": folder / name}
        run_stage("detect", plan, detect, inputs=inputs, parameters={"overlap": 64})
        output = folder / f"segment-{name}"
        manifests.append(segment(folder / name, plan, output, model=str(model), **options))
    return manifests


def predictions(folder, name):
    return (folder / f"segment-{name}" / "predictions.npz").read_bytes()


def test_predictions_are_those_of_the_whole_pyramid(tmp_path, model, monkeypatch):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1280, 1536), steps=(1,))
    read = []
    read_finer = FinerLevels.read

    def spy(self, level, window):
        read.append(level)
        return read_finer(self, level, window)

    monkeypatch.setattr(FinerLevels, "read", spy)
    needed, whole = segment_both(slide, tmp_path, model, threads=2)
    assert read  # the levels that are not stored were asked for
    assert predictions(tmp_path, "needed") == predictions(tmp_path, "all")
    assert (
        needed.inputs["slide"]["sha256"]
        == read_manifest(tmp_path / "needed").inputs["slide"]["sha256"]
    )
    assert "slide" not in whole.inputs


def test_of_a_level_that_is_not_stored_only_the_parts_with_samples_are_read(
    tmp_path, model, monkeypatch
):
    pixels = patchwork(1280, 1536)
    pixels[:, 300:] = 150  # where nothing attracts samples
    slide = write_slide(tmp_path / "slide.tif", pixels, steps=(1,))
    tile(slide, tmp_path / "tile", options=TileOptions(finest_level=FINEST))
    segmenter, _ = load_model(model)
    region = Region(0, 0, 0, Size(1024, 1024), Size(256, 256))
    read, read_finer = [], FinerLevels.read

    def spy(self, level, window):
        read.append(window.size.area << (2 * level))
        return read_finer(self, level, window)

    monkeypatch.setattr(FinerLevels, "read", spy)
    areas, found = [], []
    for most in (1.0, -1.0):
        monkeypatch.setattr("lds_path.inference.region_tensors.MOST", most)
        read.clear()
        runner = Runner(segmenter, open_pyramid(tmp_path / "tile"), torch.device("cpu"), 1, 1)
        found += [item.probability for item in runner.run([region])]
        areas.append(sum(read))
    assert 0 < areas[0] < areas[1]
    assert np.array_equal(*found)


def test_segment_lists_the_tiles_that_it_cannot_read(tmp_path, model):
    slide = write_slide(tmp_path / "slide.tif", patchwork(2048, 2048))
    with tifffile.TiffFile(slide) as file:
        places = list(zip(file.pages[0].dataoffsets, file.pages[0].databytecounts, strict=True))
    with slide.open("r+b") as stream:
        for index in (0, 2, 4, 6, 32, 34, 36, 38, 64, 66, 68, 70):  # each in a square of 256
            stream.seek(places[index][0])
            stream.write(b"\x5a" * places[index][1])
    needed, _ = segment_both(slide, tmp_path, model)
    assert read_manifest(tmp_path / "all").results["unreadable_tiles"] == 12
    found = [tuple(item) for item in needed.results["unreadable"]]
    assert 0 < len(found) == len(set(found)) <= 12
    assert set(found) <= {(0, column, row) for row in range(3) for column in range(4)}


def test_a_slide_that_is_replaced_while_segment_reads_it_fails_the_stage(
    tmp_path, model, monkeypatch
):
    slide = write_slide(tmp_path / "slide.tif", patchwork(1280, 1536), steps=(1,))
    run = Runner.run

    def replace_slide(self, regions):
        yield from run(self, regions)
        write_slide(tmp_path / "slide.tif", patchwork(1280, 1536, seed=1), steps=(1,))

    monkeypatch.setattr(Runner, "run", replace_slide)
    with pytest.raises(ChangedInputError, match=r"slide\.tif changed while it was read by segment"):
        segment_both(slide, tmp_path, model)
