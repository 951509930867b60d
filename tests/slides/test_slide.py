from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import (
    ImplausibleMppError,
    MissingMppError,
    UnreadableSlideError,
    UnsuitableSlideError,
)
from lds_path.geometry import Rectangle, Size
from lds_path.slides.mpp import Mpp, check_area, choose_mpp
from lds_path.slides.reader import Level, SlideDescription
from lds_path.slides.readers import image, tiff
from lds_path.slides.readers.image import ImageReader
from lds_path.slides.readers.openslide import over_white, scanned_bounds
from lds_path.slides.slide import Slide, open_slide

HERE = Path("a.svs")


def noise(height=300, width=420, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_tiff(path, pixels, *, levels=2, mpp=0.5, **options):
    """A tiled TIFF whose levels keep every second pixel, as OpenSlide reads it."""
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate"} | options
    with tifffile.TiffWriter(path) as writer:
        for level in range(levels):
            resolution = (1e4 / mpp / 2**level,) * 2 if mpp else None
            writer.write(
                pixels[:: 2**level, :: 2**level],
                subfiletype=int(level > 0),
                resolution=resolution,
                resolutionunit="CENTIMETER" if mpp else None,
                metadata=None,
                **options,
            )
    return path


def write_ome(path, pixels, axes, *, mpp=0.25, **options):
    """An OME-TIFF with one SubIFD level that keeps every second pixel."""
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate"} | options
    step = tuple(slice(None, None, 2) if axis in "YX" else slice(None) for axis in axes)
    size = {"PhysicalSizeX": mpp, "PhysicalSizeY": mpp} if mpp else {}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(pixels, subifds=1, metadata={"axes": axes} | size, **options)
        writer.write(pixels[step], subfiletype=1, **options)
    return path


def damage_tile(path, index, page=0):
    with tifffile.TiffFile(path) as file:
        offset = file.pages[page].dataoffsets[index]
        count = file.pages[page].databytecounts[index]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\x5a" * count)


def expected_region(level, left, top, size):
    padded = np.full((size.height, size.width, 3), 255, np.uint8)
    for y in range(size.height):
        for x in range(size.width):
            if 0 <= top + y < level.shape[0] and 0 <= left + x < level.shape[1]:
                padded[y, x] = level[top + y, left + x]
    return padded


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("corner", [(0, 0), (-7, -3), (65, 130), (190, 120), (1000, 1000)])
@pytest.mark.parametrize("kind", ["tiled", "ome-interleaved", "ome-planar", "ome-channels"])
def test_a_region_holds_the_pixels_of_its_level_and_white_outside(tmp_path, kind, corner, level):
    pixels = noise()
    planes = pixels.transpose(2, 0, 1)
    path = tmp_path / "slide.ome.tif"
    if kind == "tiled":
        path = write_tiff(tmp_path / "slide.tif", pixels)
    elif kind == "ome-interleaved":
        write_ome(path, pixels, "YXS")
    elif kind == "ome-planar":
        write_ome(path, planes, "SYX", planarconfig="separate")
    else:
        write_ome(path, planes, "CYX", photometric="minisblack")
    with open_slide(path) as slide:
        assert slide.levels == (
            Level(0, Size(420, 300), 1.0, aligned=True),
            Level(1, Size(210, 150), 2.0, aligned=True),
        )
        region = slide.read_region(level, *corner, Size(33, 21))
    source = pixels[:: 2**level, :: 2**level]
    assert np.array_equal(region, expected_region(source, *corner, Size(33, 21)))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_a_plain_image_is_a_slide_of_one_level(tmp_path, suffix):
    pixels = noise(40, 50)
    Image.fromarray(pixels).save(tmp_path / f"image.{suffix}")
    with open_slide(tmp_path / f"image.{suffix}", mpp=0.5) as slide:
        assert slide.size == Size(50, 40)
        assert len(slide.levels) == 1
        assert np.array_equal(slide.read_region(0, 0, 0, slide.size), pixels)


def test_a_tiff_in_strips_is_read(tmp_path):
    pixels = noise()
    tifffile.imwrite(tmp_path / "strips.tif", pixels, rowsperstrip=17, compression="lzw")
    with open_slide(tmp_path / "strips.tif", mpp=0.5) as slide:
        assert np.array_equal(slide.read_region(0, 0, 0, slide.size), pixels)


def test_large_strips_are_decoded_one_by_one(tmp_path, monkeypatch):
    pixels = noise()
    tifffile.imwrite(tmp_path / "strips.tif", pixels, rowsperstrip=4)
    monkeypatch.setattr(tiff, "MAX_PIXELS", pixels.size // 4)
    with open_slide(tmp_path / "strips.tif", mpp=0.5) as slide:
        region = slide.read_region(0, 11, 30, Size(100, 50))
    assert np.array_equal(region, pixels[30:80, 11:111])


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "RGBA"])
def test_an_image_of_another_colour_mode_is_converted(tmp_path, mode):
    picture = Image.fromarray(noise(20, 30)).convert(mode)
    picture.save(tmp_path / "image.tif")
    with open_slide(tmp_path / "image.tif", mpp=0.5) as slide:
        region = slide.read_region(0, 0, 0, slide.size)
    assert np.array_equal(region, np.asarray(picture.convert("RGB")))


def test_inverted_grey_is_inverted_again(tmp_path):
    grey = noise(64, 64, 1)
    tifffile.imwrite(tmp_path / "grey.tif", grey, photometric="miniswhite")
    with open_slide(tmp_path / "grey.tif", mpp=0.5) as slide:
        region = slide.read_region(0, 0, 0, slide.size)
    assert np.array_equal(region, np.repeat(255 - grey[..., None], 3, axis=2))


# --- microns per pixel -----------------------------------------------------------------------


def test_the_sheet_takes_precedence_over_metadata_and_metadata_over_tags():
    chosen = choose_mpp(HERE, sheet=0.3, metadata=(0.4, 0.4), tags=(0.5, 0.5))
    assert (chosen.value, chosen.source) == (0.3, "sheet")
    chosen = choose_mpp(HERE, sheet=None, metadata=(0.4, 0.41), tags=(0.5, 0.5))
    assert (chosen.value, chosen.source) == (pytest.approx(0.405), "metadata")
    chosen = choose_mpp(HERE, sheet=None, metadata=None, tags=(0.5, 0.5))
    assert (chosen.value, chosen.source) == (0.5, "tags")


@pytest.mark.parametrize("dots_per_inch", [72, 96, 300])
def test_an_implausible_resolution_does_not_count(tmp_path, dots_per_inch):
    resolution = (dots_per_inch, dots_per_inch)
    for name, options in (("strips.tif", {}), ("tiles.tif", {"tile": (64, 64)})):
        tifffile.imwrite(
            tmp_path / name, noise(), resolution=resolution, resolutionunit="INCH", **options
        )
        with pytest.raises(MissingMppError, match=r"fill the 'mpp' column of slides\.tsv"):
            open_slide(tmp_path / name)


@pytest.mark.parametrize("mpp", [0.0, -0.5, 1000.0, 0.049, float("nan"), float("inf")])
def test_an_implausible_mpp_is_named_with_its_source(tmp_path, mpp):
    Image.fromarray(noise(8, 8)).save(tmp_path / "image.png")
    with pytest.raises(ImplausibleMppError, match=rf"{mpp:g} microns .* 'mpp' column"):
        open_slide(tmp_path / "image.png", mpp=mpp)
    with pytest.raises(ImplausibleMppError, match="metadata"):
        choose_mpp(HERE, sheet=None, metadata=(mpp, mpp), tags=None)


def test_pixels_that_are_not_square_are_refused():
    with pytest.raises(UnsuitableSlideError, match=r"0\.5 x 0\.53"):
        choose_mpp(HERE, sheet=None, metadata=(0.5, 0.53), tags=None)


def test_the_physical_size_of_an_ome_tiff_is_its_mpp(tmp_path):
    path = write_ome(tmp_path / "slide.ome.tif", noise(), "YXS", mpp=0.25)
    with open_slide(path) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.25, "metadata")


def test_the_resolution_tags_give_the_mpp_of_tiff_and_png(tmp_path):
    write_tiff(tmp_path / "tiles.tif", noise(), mpp=0.25)
    write_ome(tmp_path / "slide.ome.tif", noise(), "YXS", mpp=None, resolution=(40000, 40000),
              resolutionunit="CENTIMETER")  # fmt: skip
    tifffile.imwrite(
        tmp_path / "strips.tif", noise(), resolution=(101600, 101600), resolutionunit="INCH"
    )
    Image.fromarray(noise(8, 8)).save(tmp_path / "image.png", dpi=(101600, 101600))
    for name in ("tiles.tif", "slide.ome.tif", "strips.tif", "image.png"):
        with open_slide(tmp_path / name) as slide:
            assert slide.mpp == pytest.approx(0.25, rel=1e-3), name
            assert slide.mpp_source == "tags", name


# --- levels, bounds, alpha -------------------------------------------------------------------


class Levels(ImageReader):
    """Pixels whose level 1 keeps every second one, with bounds."""

    def __init__(self, pixels, bounds):
        height, width = pixels.shape[:2]
        levels = (
            Level(0, Size(width, height), 1.0, aligned=True),
            Level(1, Size(width // 2, height // 2), 2.0, aligned=True),
        )
        super().__init__(pixels, SlideDescription("test", levels, bounds))

    def read(self, level, left, top, size):
        pixels = self._pixels if level == 0 else self._pixels[::2, ::2]
        return ImageReader(pixels, self.description).read(0, left, top, size)


def test_a_slide_begins_at_the_corner_of_its_bounds():
    pixels = noise(64, 96)
    bounds = Rectangle(10, 20, Size(40, 30))
    slide = Slide(HERE, Levels(pixels, bounds), mpp=0.5)
    assert (slide.bounds_l0, slide.size) == (bounds, Size(40, 30))
    assert [level.size for level in slide.levels] == [Size(40, 30), Size(20, 15)]
    assert [level.aligned for level in slide.levels] == [True, True]
    region = slide.read_region(0, 0, 0, slide.size)
    assert np.array_equal(region, pixels[20:50, 10:50])
    region = slide.read_region(1, 3, 4, Size(5, 6))
    assert np.array_equal(region, pixels[20:50:2, 10:50:2][4:10, 3:8])


def test_a_level_that_the_bounds_cut_between_pixels_is_not_aligned():
    slide = Slide(HERE, Levels(noise(64, 96), Rectangle(11, 20, Size(40, 30))), mpp=0.5)
    assert [level.aligned for level in slide.levels] == [True, False]


def test_bounds_are_read_from_the_properties_and_cut_to_the_image():
    full = Size(100, 80)
    names = ("x", "y", "width", "height")

    def bounds(*values):
        stated = zip(names, values, strict=False)
        return scanned_bounds({f"openslide.bounds-{n}": v for n, v in stated}, full)

    assert bounds("10", "20", "30", "40") == Rectangle(10, 20, Size(30, 40))
    assert bounds("10", "20", "300", "400") == Rectangle(10, 20, Size(90, 60))
    assert bounds("10", "20") == Rectangle.whole(full)
    assert bounds("10", "20", "0", "40") == Rectangle.whole(full)
    assert bounds("a", "20", "30", "40") == Rectangle.whole(full)


def test_transparent_pixels_lie_on_white():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 0, 51, 255
    assert over_white(Image.fromarray(rgba))[0, :, 0].tolist() == [255, 204, 0]


@pytest.mark.parametrize(("kind", "expected"), [("unassalpha", 228), ("assocalpha", 255)])
def test_the_alpha_of_a_tiff_lies_on_white(tmp_path, kind, expected):
    rgba = np.full((64, 64, 4), (120, 120, 120, 51), np.uint8)
    write_ome(tmp_path / "slide.ome.tif", rgba, "YXS", extrasamples=[kind])
    with open_slide(tmp_path / "slide.ome.tif") as slide:
        assert (slide.read_region(0, 0, 0, slide.size) == expected).all()


def test_a_transparent_png_lies_on_white(tmp_path):
    rgba = np.full((4, 4, 4), (0, 0, 0, 0), np.uint8)
    Image.fromarray(rgba).save(tmp_path / "image.png")
    with open_slide(tmp_path / "image.png", mpp=0.5) as slide:
        assert (slide.read_region(0, 0, 0, slide.size) == 255).all()


def test_a_slide_larger_than_glass_is_refused_and_a_whole_slide_is_not():
    check_area(HERE, Size(300_000, 100_000), Mpp(0.25, "metadata"))  # 75 x 25 mm
    with pytest.raises(ImplausibleMppError, match="500 x 300 mm"):
        check_area(HERE, Size(100_000, 60_000), Mpp(5.0, "sheet"))


# --- bad files -------------------------------------------------------------------------------


def truncated(path):
    write_tiff(path, noise(512, 512))
    path.write_bytes(path.read_bytes()[:1000])


BAD_FILES = {
    "empty.svs": lambda path: path.touch(),
    "text.svs": lambda path: path.write_text("not a slide\n"),
    "truncated.svs": truncated,
    "header.tif": lambda path: path.write_bytes(b"II*\0\x08\0\0\0"),
    "half.png": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0"),
    "sixteen.tif": lambda path: tifffile.imwrite(path, noise().astype(np.uint16)),
    "sixteen.png": lambda path: Image.fromarray(noise(9, 9, 1).astype(np.uint16)).save(path),
    "five.tif": lambda path: tifffile.imwrite(
        path, noise(64, 64, 5), photometric="minisblack", planarconfig="contig"
    ),
    "folder.svs": lambda path: path.mkdir(),
    "missing.svs": lambda path: None,
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_slide_is_refused_in_one_line(tmp_path, name):
    BAD_FILES[name](tmp_path / name)
    with pytest.raises(UnreadableSlideError, match=name) as caught:
        open_slide(tmp_path / name, mpp=0.5)
    assert "\n" not in str(caught.value)


def test_a_null_byte_in_the_path_is_refused():
    with pytest.raises(UnreadableSlideError, match="null byte"):
        open_slide(Path("a\0b.svs"), mpp=0.5)


def test_an_image_too_large_for_the_memory_is_refused_without_a_warning(tmp_path, monkeypatch):
    Image.fromarray(noise(40, 50)).save(tmp_path / "image.png")
    tifffile.imwrite(tmp_path / "strips.tif", noise(400, 500))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for module in (image, tiff):
            monkeypatch.setattr(module, "MAX_PIXELS", 100)
        for name in ("image.png", "strips.tif"):
            with pytest.raises(UnreadableSlideError, match="tiled pyramidal TIFF"):
                open_slide(tmp_path / name, mpp=0.5)
        monkeypatch.setattr(image.Image, "MAX_IMAGE_PIXELS", 100)
        with pytest.raises(UnreadableSlideError, match="too large"):
            open_slide(tmp_path / "image.png", mpp=0.5)


@pytest.mark.parametrize("kind", ["openslide", "ome"])
def test_a_damaged_tile_is_white_counted_once_and_spoils_nothing_else(tmp_path, kind):
    pixels = noise(1100, 1300)
    if kind == "openslide":
        path = write_tiff(tmp_path / "slide.tif", pixels, levels=1)
    else:
        path = write_ome(tmp_path / "slide.ome.tif", pixels, "YXS")
    damage_tile(path, index=0)
    damaged = pixels.copy()
    damaged[:256, :256] = 255
    with open_slide(path) as slide:
        for _ in range(2):
            assert np.array_equal(slide.read_region(0, 0, 0, slide.size), damaged)
            assert slide.unreadable_tiles == 1
        assert np.array_equal(slide.read_region(0, 256, 0, Size(9, 9)), pixels[:9, 256:265])


def test_a_damaged_tile_does_not_count_where_only_its_padding_would_be_read(tmp_path):
    path = write_ome(tmp_path / "slide.ome.tif", noise(), "YXS")  # 420 wide, tiles to 448
    damage_tile(path, index=6)
    with open_slide(path, max_unreadable_percent=100) as slide:
        assert (slide.read_region(0, 421, 0, Size(20, 20)) == 255).all()
        assert slide.unreadable_tiles == 0
        slide.read_region(0, 419, 0, Size(20, 20))
        assert slide.unreadable_tiles == 1


def test_a_slide_with_too_many_damaged_tiles_is_refused(tmp_path):
    path = write_tiff(tmp_path / "slide.tif", noise(512, 512), levels=1)
    damage_tile(path, index=0)
    with open_slide(path) as slide, pytest.raises(UnreadableSlideError, match="more than 20%"):
        slide.read_region(0, 0, 0, slide.size)


@pytest.mark.parametrize("kind", ["openslide", "ome"])
def test_threads_read_the_same_pixels_beside_damaged_tiles(tmp_path, kind):
    pixels = noise(1100, 1300)
    if kind == "openslide":
        path = write_tiff(tmp_path / "slide.tif", pixels, levels=1)
    else:
        path = write_ome(tmp_path / "slide.ome.tif", pixels, "YXS")
    damage_tile(path, index=0)
    corners = [(x, y) for y in range(0, 1100, 100) for x in range(0, 1300, 100)]
    with open_slide(path) as slide, ThreadPoolExecutor(4) as pool:
        regions = pool.map(lambda corner: slide.read_region(0, *corner, Size(100, 100)), corners)
        for (left, top), region in zip(corners, regions, strict=True):
            if left >= 300 or top >= 300:
                expected = expected_region(pixels, left, top, Size(100, 100))
                assert np.array_equal(region, expected)


# --- real slides -----------------------------------------------------------------------------


def test_real_slides_say_their_mpp_or_what_to_fill(data):
    with open_slide(data / "slides" / "CMU-1-Small-Region.svs") as slide:
        assert (slide.mpp, slide.mpp_source) == (0.499, "metadata")
        assert slide.description.vendor == "aperio"
    with open_slide(data / "slides" / "multiframe_camelyon_challenge_image.dcm") as slide:
        assert slide.mpp == pytest.approx(28.97, abs=0.01)
    with open_slide(data / "slides" / "test3-DAPI-2-(387).ndpi") as slide:
        assert slide.mpp == pytest.approx(0.228, abs=0.001)
        assert len(slide.levels) == 7
    with pytest.raises(MissingMppError):
        open_slide(data / "slides" / "tcga-cr-7395-01a-01-ts1.svs")


def test_an_aperio_level_with_the_odd_pixel_cut_off_is_reduced_by_two(data):
    path = data / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    with open_slide(path, mpp=0.25) as slide:
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        left, top = 1900, 1400  # far from the corner: 2.0005 would be half a pixel off here
        fine = slide.read_region(0, 2 * left, 2 * top, Size(512, 512)).astype(float)
        coarse = slide.read_region(1, left, top, Size(256, 256)).astype(float)
        shifted = slide.read_region(1, left + 1, top, Size(256, 256)).astype(float)
    mean = fine.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(coarse - mean).mean() < 0.5 * np.abs(shifted - mean).mean()


def test_a_truncated_real_slide_is_refused(data, tmp_path):
    content = (data / "slides" / "CMU-1-Small-Region.svs").read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableSlideError, match=r"cut\.svs"), open_slide(path, mpp=0.5) as slide:
        slide.read_region(0, 0, 0, slide.size)
