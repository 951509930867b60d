import numpy as np
import pytest
import tifffile
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lds_path.geometry import Rectangle, Size
from lds_path.slides.levels import bounded_levels, true_downsample, usable_levels
from lds_path.slides.reader import Level, SlideDescription
from lds_path.slides.slide import open_slide

FACTORS = st.sampled_from([2, 4, 8, 16, 32, 64])


def levels_of(sizes, downsamples):
    pairs = enumerate(zip(sizes, downsamples, strict=True))
    return tuple(Level(index, *pair, aligned=True) for index, pair in pairs)


def quotient(full, level):
    return (full.width / level.width + full.height / level.height) / 2


def whole_tiles(size, tile):
    return Size(-(-size.width // tile) * tile, -(-size.height // tile) * tile)


@given(st.integers(64, 200_000), st.integers(64, 200_000), st.sampled_from([2, 4, 8, 16, 32]))
@example(87, 95, 32)
def test_a_level_cut_to_whole_pixels_has_a_whole_downsample(width, height, factor):
    level = Size(width // factor, height // factor)
    full = Size(width, height)
    assert true_downsample(full, level, quotient(full, level)) == factor


def test_a_downsample_that_is_not_whole_is_kept():
    assert true_downsample(Size(10_000, 8_000), Size(4_000, 3_200), 2.5) == 2.5


# --- levels filled up to whole tiles ---------------------------------------------------------


@given(
    st.integers(64, 200_000), st.integers(64, 200_000), FACTORS, st.integers(2, 512),
    st.booleans(), st.booleans(),
)  # fmt: skip
@example(6144, 4992, 4, 128, False, False)
@example(12_096, 12_096, 16, 256, False, False)
def test_the_factor_of_a_padded_level_is_its_own_or_in_doubt(
    width, height, factor, tile, first_too, drop
):
    scanned = Size(width, height)
    full = whole_tiles(scanned, tile) if first_too else scanned
    reduced = Size(width // factor, height // factor) if drop else scanned.ceil_div(factor)
    level = whole_tiles(reduced, tile)
    found = true_downsample(full, level, quotient(full, level), Size(tile, tile))
    assert found in (factor, None)


def test_a_slide_of_camelyon16_has_whole_factors_although_its_sizes_say_others():
    full, tile = Size(89_600, 85_504), Size(512, 512)
    levels = [whole_tiles(full.ceil_div(2**n), 512) for n in range(1, 6)]
    stated = [quotient(full, level) for level in levels]
    assert stated == pytest.approx([1.988, 3.977, 7.953, 15.545, 28.5], abs=1e-3)
    pairs = zip(levels, stated, strict=True)
    factors = [true_downsample(full, level, factor, tile) for level, factor in pairs]
    assert factors == [2, 4, 8, 16, 32]


def test_a_level_of_one_tile_hides_its_factor():
    full, tile = Size(4096, 4096), Size(256, 256)
    assert true_downsample(full, Size(512, 512), 8.0, tile) == 8
    assert true_downsample(full, tile, 16.0, tile) is None


def test_the_padding_of_a_level_is_not_part_of_it():
    level = Level(1, Size(1536, 1280), 3.95, aligned=False, tile=Size(128, 128))
    description_levels = (Level(0, Size(6144, 4992), 1.0, aligned=True), level)
    assert usable_levels(description_levels)[1].size == Size(1536, 1248)


@settings(max_examples=30)
@given(
    st.integers(200, 700), st.integers(200, 700), FACTORS, st.sampled_from([16, 32, 64]),
    st.booleans(),
)  # fmt: skip
def test_pixels_of_every_level_that_is_used_lie_where_their_factor_says(
    tmp_path_factory, width, height, factor, tile, ome
):
    assume(min(width, height) >= 4 * factor)
    scanned = np.zeros((height, width, 3), np.uint8)
    scanned[..., 0] = np.linspace(0, 255, width)
    scanned[..., 1] = np.linspace(0, 255, height)[:, None]
    path = tmp_path_factory.mktemp("padded") / ("slide.ome.tif" if ome else "slide.tif")
    levels = [scanned[:: 2**step, :: 2**step] for step in range(factor.bit_length())]
    write_padded(path, levels, tile, ome=ome)
    with open_slide(path, mpp=0.5) as slide:
        for number, level in enumerate(slide.levels):
            pixels = slide.read_region(number, 0, 0, level.size)[::3, ::3].astype(int)
            rows = (np.arange(0, level.size.height, 3) * level.downsample).astype(int)
            columns = (np.arange(0, level.size.width, 3) * level.downsample).astype(int)
            expected = scanned[np.minimum(rows, height - 1)][:, np.minimum(columns, width - 1)]
            inside = (rows < height - level.downsample)[:, None] & (
                columns < width - level.downsample
            )
            assert np.abs(pixels - expected)[inside].max() <= 1, level


def write_padded(path, levels, tile, *, ome):
    """Each level filled up to whole tiles, white."""
    options = {"tile": (tile, tile), "photometric": "rgb", "compression": "deflate"}
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for number, level in enumerate(levels):
            size = whole_tiles(Size(level.shape[1], level.shape[0]), tile)
            pixels = np.full((size.height, size.width, 3), 255, np.uint8)
            pixels[: level.shape[0], : level.shape[1]] = level
            first = ome and not number
            writer.write(
                pixels, subfiletype=int(number > 0), subifds=len(levels) - 1 if first else None,
                metadata={"axes": "YXS"} if first else None, **options,
            )  # fmt: skip


# --- which levels ----------------------------------------------------------------------------


def test_a_level_that_is_no_reduction_of_the_first_is_left_out():
    full = Size(4443, 3567)
    sizes = (full, Size(2221, 1783), Size(8886, 7134), Size(1110, 100), Size(1, 1), Size(0, 0))
    usable = usable_levels(levels_of(sizes, (1.0, 2.0005, 0.5, 20.0, 4005.0, 2.0)))
    assert [level.index for level in usable] == [0, 1, 4]


@pytest.mark.parametrize("stated", [0.0, -1.0, float("nan"), float("inf")])
def test_a_level_of_no_factor_is_left_out(stated):
    assert true_downsample(Size(100, 100), Size(50, 50), stated) is None


def test_levels_keep_their_number_in_the_file_and_get_their_true_downsample():
    sizes = (Size(4443, 3567), Size(1110, 100), Size(2221, 1783))
    levels = levels_of(sizes, (1.0, 20.0, 2.0005))
    found = bounded_levels(SlideDescription("test", levels, Rectangle.whole(sizes[0])))
    assert found == (levels[0], Level(2, sizes[2], 2.0, aligned=True))


@given(left=st.integers(0, 900), top=st.integers(0, 900), factor=st.sampled_from([1, 2, 4, 8]))
def test_a_level_is_aligned_where_the_bounds_begin_on_one_of_its_pixels(left, top, factor):
    full = Size(1024, 1024)
    levels = levels_of((full, full.ceil_div(factor)), (1.0, float(factor)))
    description = SlideDescription("test", levels, Rectangle(left, top, Size(100, 60)))
    level = bounded_levels(description)[1]
    assert level.aligned == (left % factor == 0 == top % factor)
    assert level.size == Size(round(100 / factor), round(60 / factor))
