import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openslide
import pytest
import tifffile

from lds_path.classes import LabelClass
from lds_path.errors import StageInputError
from lds_path.formats.labels.label_images import Labels, label_blocks, write_labels
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.geometry import Size
from lds_path.pixels.majority import reduce_by_majority

CLASSES = [
    LabelClass(1, "Stroma", (200, 120, 160)),
    LabelClass(2, "Drüse & <Gang>", (0, 128, 255)),
    LabelClass(7, "Tumor", (255, 0, 0)),
]


def save(path, labels, *, mpp=0.5, block=1024):
    size = Size(labels.shape[1], labels.shape[0])
    blocks = (
        labels[place.top : place.top + place.size.height, place.left :][:, : place.size.width]
        for place in label_blocks(size, block)
    )
    write_labels(path, blocks, size, mpp=mpp, classes=CLASSES, block=block)
    return path


def paint_disc(size, center, radius, value=1):
    y, x = np.mgrid[: size.height, : size.width] + 0.5
    return np.where(np.hypot(x - center[0], y - center[1]) < radius, value, 0).astype(np.uint8)


def random_labels(height, width):
    coarse = np.random.default_rng(3).integers(0, 8, (height // 9 + 1, width // 13 + 1), np.uint8)
    return coarse.repeat(9, 0).repeat(13, 1)[:height, :width]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    labels = random_labels(1301, 2075)
    return labels, save(tmp_path_factory.mktemp("labels") / "a.labels.ome.tif", labels)


def levels_of(labels):
    levels = [labels]
    while max(levels[-1].shape) > 512:
        levels.append(reduce_by_majority(levels[-1]))
    return levels


def test_every_level_comes_back_exactly(stored):
    labels, path = stored
    with Labels(path) as image:
        for level, expected in enumerate(levels_of(labels)):
            size = image.level_size(level)
            np.testing.assert_array_equal(image.read(level, 0, 0, size), expected)
        assert image.level_count == level + 1


def test_a_window_reads_as_the_same_part_of_the_whole_and_0_beyond_it(stored):
    labels, path = stored
    padded = np.pad(labels, 700)
    with Labels(path) as image:
        for left, top, size in [
            (-5, -9, Size(600, 30)),
            (500, 1000, Size(700, 500)),
            (2070, 1300, Size(9, 9)),
            (2500, 100, Size(40, 40)),
            (-700, 5, Size(50, 8)),
        ]:
            expected = padded[700 + top :, 700 + left :][: size.height, : size.width]
            np.testing.assert_array_equal(image.read(0, left, top, size), expected)


def test_tifffile_reads_the_levels_as_subresolutions_of_one_page(stored):
    labels, path = stored
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
        assert file.is_ome
        page = file.pages.first
        assert page.tags["NewSubfileType"].value == 0
        assert all(level.tags["NewSubfileType"].value == 1 for level in page.pages)
        assert all(level.tilewidth == 512 for level in [page, *page.pages])
        for found, expected in zip(file.series[0].levels, levels_of(labels), strict=True):
            np.testing.assert_array_equal(found.asarray(), expected)


def test_openslide_reads_the_finest_level_and_its_mpp(tmp_path):
    labels = random_labels(700, 900)
    with openslide.OpenSlide(save(tmp_path / "a.labels.ome.tif", labels, mpp=0.4987654)) as slide:
        assert slide.dimensions == (900, 700)
        pixels = np.asarray(slide.read_region((0, 0), 0, (900, 700)))[..., 0]
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.4987654, rel=1e-6)
    np.testing.assert_array_equal(pixels, labels)


@pytest.mark.parametrize("mpp", [0.25, 0.4990123456, 8.0])
def test_mpp_and_classes_survive(tmp_path, mpp):
    path = save(tmp_path / "a.labels.ome.tif", np.ones((3, 5), np.uint8), mpp=mpp)
    with Labels(path) as image:
        assert image.mpp == mpp
        assert list(image.classes) == CLASSES
        assert image.size == Size(5, 3)
        assert image.level_count == 1


@pytest.mark.parametrize("block", [512, 1024, 2048])
def test_the_bytes_do_not_depend_on_the_blocks(tmp_path, stored, block):
    labels, path = stored
    again = save(tmp_path / "a.labels.ome.tif", labels, block=block)
    assert again.read_bytes() == path.read_bytes()


def test_several_threads_read_what_one_reads(stored):
    labels, path = stored
    places = label_blocks(Size(2075, 1301), 128)
    start = threading.Barrier(4)

    def read(image, part):
        start.wait()
        return [image.read(0, place.left, place.top, place.size) for place in part]

    with Labels(path) as image, ThreadPoolExecutor(4) as pool:
        parts = [places[first::4] for first in range(4)]
        results = pool.map(read, [image] * 4, parts)
        for part, found in zip(parts, results, strict=True):
            for place, pixels in zip(part, found, strict=True):
                expected = labels[place.top :, place.left :]
                expected = expected[: place.size.height, : place.size.width]
                np.testing.assert_array_equal(pixels, expected)


def test_a_painted_disc_lies_within_one_pixel_of_its_place_at_every_level(tmp_path):
    size, center, radius = Size(2200, 1700), (1103.3, 811.7), 431.2
    path = save(tmp_path / "a.labels.ome.tif", paint_disc(size, center, radius))
    with Labels(path) as image:
        assert image.level_count == 4
        for level in range(image.level_count):
            rows, columns = np.nonzero(image.read(level, 0, 0, image.level_size(level)))
            scale = 2**level
            found = ((columns.mean() + 0.5) * scale, (rows.mean() + 0.5) * scale)
            assert found == pytest.approx(center, abs=0.5)
            # Both radii, from the area, in pixels of level 0.
            assert np.sqrt(rows.size / np.pi) * scale == pytest.approx(radius, abs=1)


def test_blank_tiles_cost_almost_nothing(tmp_path):
    path = save(tmp_path / "a.labels.ome.tif", np.zeros((4096, 4096), np.uint8))
    assert path.stat().st_size < 50_000


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    def peak(height):
        size = Size(1024, height)
        blocks = (random_labels(1024, 1024) for _ in label_blocks(size))
        tracemalloc.start()
        write_labels(tmp_path / "a.ome.tif", blocks, size, mpp=0.5, classes=CLASSES)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1024)  # what is loaded once
    assert peak(65536) < peak(8192) + 2**21  # two blocks, as the threads happen to be


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (Size(512, 512), 1),
        (Size(513, 1), 2),
        (Size(1, 1), 1),
        (Size(2075, 1301), 4),
    ],
)
def test_levels_end_with_the_first_that_fits_one_tile(size, expected):
    sizes = halved_sizes(size, 512)
    assert len(sizes) == expected
    assert max(sizes[-1].width, sizes[-1].height) <= 512
    for level, found in enumerate(sizes):
        assert found == Size(-(-size.width // 2**level), -(-size.height // 2**level))


@pytest.mark.parametrize("shapes", [[(4, 4)], [(5, 5), (5, 5)], []])
def test_blocks_that_do_not_fill_the_image_are_refused_and_leave_no_file(tmp_path, shapes):
    blocks = [np.zeros(shape, np.uint8) for shape in shapes]
    with pytest.raises(ValueError, match=r"block|zip"):
        write_labels(tmp_path / "a.ome.tif", blocks, Size(5, 5), mpp=0.5, classes=CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_label_image_is_named(tmp_path):
    text, foreign = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    text.write_text("not a TIFF")
    tifffile.imwrite(foreign, np.zeros((8, 8), np.uint8))
    for path in (text, foreign, tmp_path / "missing.ome.tif"):
        with pytest.raises(StageInputError, match=f"{path.name}.*run stitch again"):
            Labels(path)
