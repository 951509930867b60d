import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Size
from lds_path.options.slides import DemoOptions
from lds_path.slides.probe import probe
from lds_path.slides.readers.openslide import open_openslide
from lds_path.slides.readers.own_tiles import OwnTilesReader, decode_own_tiles
from lds_path.slides.slide import open_slide
from lds_path.stages.demo import demo


def windows(size):
    """Return windows inside a level, across its edges, and beyond it."""
    step = Size(max(size.width // 3, 1), max(size.height // 3, 1))
    for left in (-50, step.width, size.width - 130):
        for top in (-50, step.height, size.height - 130):
            yield left, top, Size(300, 200)


def assert_equal_to_openslide(path):
    with probe(path) as found:
        slide = open_openslide(found)
        tiles = decode_own_tiles(found, slide)
    assert isinstance(tiles, OwnTilesReader)
    assert tiles.description == slide.description
    assert tiles._tiled_levels[0] is not None
    checked = 0
    for level in (level.index for level in tiles.description.levels):
        for left, top, extent in windows(tiles.description.levels[level].size):
            expected = slide.read(level, left, top, extent)
            np.testing.assert_array_equal(tiles.read(level, left, top, extent), expected)
            checked += bool((expected < 200).any())
    assert checked > 3
    tiles.close()


def test_tiles_of_a_real_slide_are_the_pixels_that_openslide_reads(data):
    assert_equal_to_openslide(data / "slides" / "CMU-1-Small-Region.svs")


@pytest.mark.parametrize("name", ["tcga-cr-7395-01a-01-ts1.svs", "test3-DAPI-2-(387).ndpi"])
def test_other_compressions_and_formats_are_left_to_openslide(data, name):
    with probe(data / "slides" / name) as found:
        slide = open_openslide(found)
        assert decode_own_tiles(found, slide) is slide


def test_tiles_of_a_painted_slide_are_the_pixels_that_openslide_reads(tmp_path):
    demo(tmp_path, options=DemoOptions(width=2048, height=1536))
    assert_equal_to_openslide(tmp_path / "slide.tif")


@pytest.mark.parametrize("compression", [8, 32946, "png"])
def test_a_byte_that_changed_is_noticed_by_the_checksum_of_the_pixels(tmp_path, compression):
    """Decoders that do not compare it return other pixels for many of these."""
    pixels = np.random.default_rng(0).integers(150, 170, (256, 256, 3), np.uint8)
    path, start, count = write_deflated(tmp_path, pixels, compression)
    content = path.read_bytes()
    for place in np.linspace(start + 20, start + count - 2, 12).astype(int):
        changed = bytearray(content)
        changed[place] ^= 255
        path.write_bytes(changed)
        with (
            pytest.raises(UnreadableSlideError, match="copy it again"),
            open_slide(path, mpp=0.5, max_unreadable_percent=0) as slide,
        ):
            slide.read_region(0, 0, 0, Size(256, 256))


def write_deflated(folder, pixels, compression):
    """Write an image and return its path, and start and number of the compressed bytes."""
    if compression == "png":
        path = folder / "slide.png"
        Image.fromarray(pixels).save(path)
        start = path.read_bytes().index(b"IDAT") + 4
        return path, start, path.stat().st_size - start - 16
    path = folder / "slide.tif"
    options = {"tile": (256, 256), "photometric": "rgb", "metadata": None}
    tifffile.imwrite(path, pixels, compression=compression, **options)
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        return path, page.dataoffsets[0], page.databytecounts[0]
