from hypothesis import example, given
from hypothesis import strategies as st

from lds_path.geometry import Rectangle, Size
from lds_path.slides.levels import bounded_levels, true_downsample, usable_levels
from lds_path.slides.reader import Level, SlideDescription


def levels_of(sizes, downsamples):
    pairs = enumerate(zip(sizes, downsamples, strict=True))
    return tuple(Level(index, *pair, aligned=True) for index, pair in pairs)


@given(st.integers(64, 200_000), st.integers(64, 200_000), st.sampled_from([2, 4, 8, 16, 32]))
@example(87, 95, 32)
def test_a_level_cut_to_whole_pixels_has_a_whole_downsample(width, height, factor):
    level = Size(width // factor, height // factor)
    stated = (width / level.width + height / level.height) / 2
    assert true_downsample(Size(width, height), level, stated) == factor


def test_a_downsample_that_is_not_whole_is_kept():
    assert true_downsample(Size(10_000, 8_000), Size(4_000, 3_200), 2.5) == 2.5


def test_a_level_that_is_no_reduction_of_the_first_is_left_out():
    full = Size(4443, 3567)
    sizes = (full, Size(2221, 1783), Size(8886, 7134), Size(1110, 100), Size(1, 1), Size(0, 0))
    usable = usable_levels(levels_of(sizes, (1.0, 2.0005, 0.5, 20.0, 4005.0, 2.0)))
    assert [level.index for level in usable] == [0, 1, 4]


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
