from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from mirax import write_mirax
from PIL import Image

from lds_path.errors import ChangedInputError, MissingMppError, UsageError
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.geometry import Frame, Size
from lds_path.options.slides import TileOptions
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.manifest import read_manifest
from lds_path.slides.reader import Level
from lds_path.stages import tile as stage
from lds_path.stages.tile import choose_source, tile

GLASS = (243, 240, 242)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_tiff(path, pixels, *, levels=1, mpp=0.5):
    """A tiled TIFF with area-averaged levels."""
    options = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
    with tifffile.TiffWriter(path) as writer:
        for level in range(levels):
            resolution = (1e4 / mpp / 2**level,) * 2
            writer.write(
                pixels, subfiletype=int(level > 0), resolution=resolution,
                resolutionunit="CENTIMETER", metadata=None, **options,
            )  # fmt: skip
            pixels = area_means(pixels, 2)
    return path


def area_means(pixels, factor):
    height, width = (length // factor * factor for length in pixels.shape[:2])
    shape = (height // factor, factor, width // factor, factor, 3)
    means = pixels[:height, :width].reshape(shape).mean(axis=(1, 3))
    return np.floor(means + 0.5).astype(np.uint8)


def read_all(folder, level=0):
    pyramid = open_pyramid(folder)
    return pyramid.read(level, 0, 0, pyramid.level_size(level))


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted((folder / PYRAMID_NAME).rglob("*"))
        if path.is_file()
    }


def levels(downsamples, aligned=(True,) * 3):
    size = Size(1000, 1000)  # plays no part
    pairs = zip(downsamples, aligned, strict=False)
    return [Level(i, size, factor, aligned=whole) for i, (factor, whole) in enumerate(pairs)]


# --- which level -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slide_mpp", "downsamples", "level", "pitch", "downsample"),
    [
        (0.5, (1, 4, 16), 0, 1, 1),
        (0.499, (1,), 0, 1, 1),
        (0.252, (1, 4, 16), 0, 2, 2),
        (0.25, (1, 2, 4), 1, 1, 2),
        (0.125, (1, 4), 1, 1, 4),
        (0.0625, (1, 4), 1, 2, 8),
        (0.52, (1, 2), 0, 1, 1),
        (28.97, (1,), 0, 1, 1),
        (0.2, (1, 2, 4), 1, 1.25, 2.5),
        (0.4, (1,), 0, 1.25, 1.25),
    ],
)
def test_the_source_gives_the_working_mpp(slide_mpp, downsamples, level, pitch, downsample):
    source = choose_source(slide_mpp, levels(downsamples), 0.5)
    assert source.level == level
    assert source.pitch == pytest.approx(pitch)
    assert source.downsample == pytest.approx(downsample)


def test_an_interpolated_level_is_avoided_where_half_the_next_does_as_well():
    assert choose_source(0.25, levels((1, 2), (True, False)), 0.5).level == 0
    assert choose_source(0.125, levels((1, 4), (True, False)), 0.5).level == 1
    assert choose_source(0.22, levels((1, 2), (True, False)), 0.5).level == 0


@given(st.floats(0.05, 50), st.floats(0.05, 50), st.lists(st.booleans(), min_size=3, max_size=3))
def test_nothing_is_upsampled_and_the_mpp_is_near_or_exact(slide_mpp, mpp, aligned):
    downsamples = (1.0, 4.0, 16.0)
    source = choose_source(slide_mpp, levels(downsamples, aligned), mpp)
    assert source.pitch >= 1
    assert source.downsample == pytest.approx(source.pitch * downsamples[source.level])
    reached = slide_mpp * source.downsample
    if source.downsample == 1:
        assert reached >= 0.95 * mpp
    else:
        near = abs(reached / mpp - 1) <= 0.0501 and source.pitch == round(source.pitch)
        assert near or reached == pytest.approx(mpp)


# --- pixels ----------------------------------------------------------------------------------


def test_a_slide_at_the_working_mpp_is_kept_pixel_for_pixel(tmp_path):
    pixels = noise(700, 900)
    manifest = tile(write_tiff(tmp_path / "slide.tif", pixels), tmp_path / "out")
    assert np.array_equal(read_all(tmp_path / "out"), pixels)
    assert manifest.status == "done"
    assert open_pyramid(tmp_path / "out").frame == Frame(mpp=0.5, downsample=1.0)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_a_whole_reduction_is_the_area_mean(tmp_path, factor):
    pixels = noise(480, 720)
    slide = write_tiff(tmp_path / "slide.tif", pixels, mpp=0.51 / factor)
    manifest = tile(slide, tmp_path / "out")
    assert manifest.results["mpp"] == pytest.approx(0.51)
    assert manifest.results["downsample"] == factor
    difference = read_all(tmp_path / "out").astype(int) - area_means(pixels, factor)
    assert np.abs(difference).max() <= (0 if factor == 2 else 1)


def test_a_level_of_the_slide_is_used_where_it_fits(tmp_path):
    pixels = noise(1200, 1600)
    slide = write_tiff(tmp_path / "slide.tif", pixels, levels=3, mpp=0.125)
    manifest = tile(slide, tmp_path / "out")
    assert manifest.results["slide_level"] == 2
    expected = area_means(area_means(pixels, 2), 2)
    assert np.array_equal(read_all(tmp_path / "out"), expected)


def test_resampled_steps_lie_where_they_belong(tmp_path):
    pixels = np.zeros((500, 6000, 3), np.uint8)
    pixels[:, 5000:] = 200
    tile(
        write_tiff(tmp_path / "slide.tif", pixels, mpp=0.2),
        tmp_path / "out",
        options=TileOptions(mpp=0.5),
    )
    pyramid = open_pyramid(tmp_path / "out")
    assert pyramid.frame.downsample == pytest.approx(2.5)
    assert pyramid.size == Size(2400, 200)
    row = pyramid.read(0, 0, 100, Size(2400, 1))[0, :, 0]
    assert (row[:2000] == 0).all()
    assert (row[2000:] == 200).all()


def test_a_resampled_gradient_has_no_seams(tmp_path):
    ramp = (np.arange(6000) / 25).astype(np.uint8)
    pixels = np.repeat(np.repeat(ramp[None, :, None], 600, axis=0), 3, axis=2)
    tile(
        write_tiff(tmp_path / "slide.tif", pixels, mpp=0.23),
        tmp_path / "out",
        options=TileOptions(mpp=0.5),
    )
    row = read_all(tmp_path / "out")[100, :, 0].astype(float)
    centres = (np.arange(len(row)) + 0.5) * 0.5 / 0.23
    assert np.abs(row - (centres / 25 - 0.5))[:-1].max() < 1.1


def test_the_last_pixel_averages_what_exists(tmp_path):
    pixels = np.full((301, 401, 3), 90, np.uint8)
    for name, mpp in (("half", 0.25), ("resampled", 0.23)):
        tile(write_tiff(tmp_path / f"{name}.tif", pixels, mpp=mpp), tmp_path / name)
        assert (read_all(tmp_path / name) == 90).all()
    assert open_pyramid(tmp_path / "half").size == Size(201, 151)


def test_a_slide_coarser_than_the_working_mpp_stays_as_it_is(tmp_path):
    pixels = noise(100, 120)
    manifest = tile(write_tiff(tmp_path / "slide.tif", pixels, mpp=29.0), tmp_path / "out")
    assert manifest.results["mpp"] == pytest.approx(29.0, rel=1e-3)
    assert np.array_equal(read_all(tmp_path / "out"), pixels)


def test_threads_do_not_change_a_byte(tmp_path):
    slide = write_tiff(tmp_path / "slide.tif", noise(600, 4700), mpp=0.23)
    for threads in (1, 2):
        tile(slide, tmp_path / str(threads), threads=threads)
    assert files(tmp_path / "1") == files(tmp_path / "2")


# --- glass -----------------------------------------------------------------------------------


def glass_slide(height=2600, width=2600):
    """Glass with a little noise, and a square of tissue that ends inside a chunk."""
    pixels = np.array(GLASS) + np.random.default_rng(0).integers(-2, 3, (height, width, 1))
    pixels = pixels.astype(np.uint8)
    pixels[600:1500, 600:1500] = (190, 120, 170)
    return pixels


@pytest.mark.parametrize("levels", [1, 5])
def test_chunks_of_glass_are_background_and_all_others_unchanged(tmp_path, levels):
    pixels = glass_slide()
    slide = write_tiff(tmp_path / "slide.tif", pixels, levels=levels)
    manifest = tile(slide, tmp_path / "out")
    background = manifest.results["background"]
    assert abs(background - np.mean(GLASS)) <= 2
    result = read_all(tmp_path / "out")
    assert np.array_equal(result[512:1536, 512:1536], pixels[512:1536, 512:1536])
    result[512:1536, 512:1536] = background
    assert (result == background).all()
    shards = [path for path in (tmp_path / "out" / PYRAMID_NAME / "0" / "c").rglob("*")
              if path.is_file()]  # fmt: skip
    assert len(shards) == 1


def test_glass_is_not_even_read_where_a_coarse_level_shows_it(tmp_path):
    slide = write_tiff(tmp_path / "slide.tif", glass_slide(), levels=5)
    with tifffile.TiffFile(slide) as file:
        offset, count = file.pages[0].dataoffsets[-1], file.pages[0].databytecounts[-1]
    with slide.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\x5a" * count)
    assert tile(slide, tmp_path / "out").results["unreadable_tiles"] == 0


def test_faint_tissue_is_kept(tmp_path):
    pixels = glass_slide(1024, 1024)
    pixels[900:940, 900:940] -= np.array([3, 9, 5], np.uint8)
    slide = write_tiff(tmp_path / "slide.tif", pixels)
    tile(slide, tmp_path / "out")
    assert np.array_equal(read_all(tmp_path / "out")[512:, 512:], pixels[512:, 512:])


def test_a_dark_background_is_written_as_it_is(tmp_path):
    pixels = np.zeros((600, 700, 3), np.uint8)
    pixels[100:200, 100:200, 2] = 180
    tile(write_tiff(tmp_path / "slide.tif", pixels), tmp_path / "out")
    assert np.array_equal(read_all(tmp_path / "out"), pixels)


# --- the manifest ----------------------------------------------------------------------------


def test_the_manifest_says_what_was_made(tmp_path):
    slide = write_tiff(tmp_path / "slide.tif", noise(600, 800), mpp=0.25)
    tile(slide, tmp_path / "out")
    results = read_manifest(tmp_path / "out").results
    expected = {
        "width": 400, "height": 300, "downsample": 2.0, "left_l0": 0, "top_l0": 0,
        "width_l0": 800, "height_l0": 600, "mpp_source": "tags", "vendor": "generic-tiff",
        "file": "slide.tif", "levels": 1, "unreadable_tiles": 0, "icc": False,
        "objective_power": None,
    }  # fmt: skip
    assert expected.items() <= results.items()
    assert results["slide_mpp"] == pytest.approx(0.25)


def test_a_slide_without_mpp_is_quarantined_unless_the_sheet_states_it(tmp_path):
    Image.fromarray(noise(64, 64)).save(tmp_path / "image.png")
    manifest = tile(tmp_path / "image.png", tmp_path / "out")
    assert manifest.quarantined
    assert "'mpp' column" in manifest.reason
    assert not (tmp_path / "out" / PYRAMID_NAME).exists()
    with pytest.raises(MissingMppError):
        tile(tmp_path / "image.png", tmp_path / "strict", strict=True)
    manifest = tile(tmp_path / "image.png", tmp_path / "out", options=TileOptions(slide_mpp=0.5))
    assert (manifest.status, manifest.results["mpp_source"]) == ("done", "sheet")


@pytest.mark.parametrize("name", ["missing.svs", "empty.svs", "folder.svs", "text.svs", "n\0ul"])
def test_a_bad_file_is_quarantined(tmp_path, name):
    (tmp_path / "empty.svs").touch()
    (tmp_path / "folder.svs").mkdir()
    (tmp_path / "text.svs").write_text("not a slide")
    assert tile(tmp_path / name, tmp_path / "out").quarantined


def test_a_damaged_slide_is_quarantined_and_a_damaged_tile_counted(tmp_path):
    slide = write_tiff(tmp_path / "slide.tif", noise(1024, 1024))
    with tifffile.TiffFile(slide) as file:
        offsets, counts = file.pages[0].dataoffsets, file.pages[0].databytecounts
    for damaged, status in ((1, "done"), (4, "quarantined")):
        with slide.open("r+b") as stream:
            for index in range(damaged):
                stream.seek(offsets[index])
                stream.write(b"\x5a" * counts[index])
        manifest = tile(slide, tmp_path / "out")
        assert manifest.status == status
        if status == "done":
            assert manifest.results["unreadable_tiles"] == 1


@pytest.mark.parametrize("mpp", [0.0, float("nan")])
def test_an_impossible_mpp_is_refused(mpp):
    with pytest.raises(UsageError, match=r"expected 0\.05 to 50 microns per pixel"):
        TileOptions(mpp=mpp)


def test_no_threads_are_refused(tmp_path):
    with pytest.raises(UsageError, match="threads is 0; expected at least 1"):
        tile(tmp_path / "slide.tif", tmp_path / "out", threads=0)


# --- real slides -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slide_mpp", "mpp"),
    [
        ("CMU-1-Small-Region.svs", None, 0.499),
        ("tcga-cr-7395-01a-01-ts1.svs", 0.25, 0.5),
        ("multiframe_camelyon_challenge_image.dcm", None, 28.97),
        ("test3-TRITC 2 (560).ndpi", None, 0.5),
    ],
)
def test_real_slides_become_pyramids(data, tmp_path, name, slide_mpp, mpp):
    manifest = tile(
        data / "slides" / name,
        tmp_path / "out",
        threads=2,
        options=TileOptions(slide_mpp=slide_mpp),
    )
    assert manifest.status == "done"
    assert open_pyramid(tmp_path / "out").frame.mpp == pytest.approx(mpp, abs=0.002)


def test_the_real_slide_without_mpp_is_quarantined(data, tmp_path):
    slide = data / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    assert "'mpp' column" in tile(slide, tmp_path / "out").reason


# --- the files of the slide --------------------------------------------------------------------


def test_the_manifest_names_every_file_of_a_slide(tmp_path):
    path = tmp_path / "a.mrxs"
    write_mirax(path, noise(256, 256), 0.5)
    described = tile(path, tmp_path / "a-out").inputs["slide"]
    assert described["path"] == str(path)
    assert "a.mrxs" in described["files"]
    data = tmp_path / "a" / "Data0000.dat"
    assert described["files"]["a/Data0000.dat"] == sha256(data)
    data.write_bytes(data.read_bytes()[:-1] + b"\0")
    assert tile(path, tmp_path / "a-out").inputs["slide"]["sha256"] != described["sha256"]


def test_a_slide_that_is_replaced_while_it_is_read_fails_the_stage(tmp_path, monkeypatch):
    slide = write_tiff(tmp_path / "a.tif", noise(300, 300))
    other = write_tiff(tmp_path / "b.tif", noise(300, 300, seed=1))
    write_pyramid = stage.write_pyramid

    def replace_slide(*arguments, **options):
        levels = write_pyramid(*arguments, **options)
        other.replace(slide)
        return levels

    monkeypatch.setattr(stage, "write_pyramid", replace_slide)
    with pytest.raises(ChangedInputError, match=r"a\.tif changed while it was read by tile"):
        tile(slide, tmp_path / "out")
    assert not (tmp_path / "out").exists()
