from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from ome_zarr_models.v05 import Image

from lds_path.errors import StageInputError
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.pyramid import (
    PYRAMID_NAME,
    open_pyramid,
)
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.geometry import Frame, Size
from lds_path.pixels.halving import halve

FRAME = Frame(mpp=0.5, downsample=2.0, left_l0=7, top_l0=9)
BACKGROUND = 240


def planes(height=3000, width=2500, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)


def write(folder, pixels, *, threads=1, skip=frozenset()):
    """Write pixels (3, H, W); blocks whose corner is in skip read as nothing but background."""

    def read_block(left, top, size):
        if (left, top) in skip:
            return None
        return pixels[:, top : top + size.height, left : left + size.width]

    folder.mkdir()
    size = Size(pixels.shape[2], pixels.shape[1])
    write_pyramid(
        folder / PYRAMID_NAME, read_block, size, FRAME, background=BACKGROUND, threads=threads
    )
    return open_pyramid(folder)


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def level_pixels(pyramid, level):
    return pyramid.read(level, 0, 0, pyramid.level_size(level)).transpose(2, 0, 1)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(tmp_path_factory.mktemp("pyramid") / "slide", planes())


def test_level_zero_is_what_was_read(written):
    assert np.array_equal(level_pixels(written, 0), planes())


def test_every_level_is_the_area_mean_of_the_one_below(written):
    assert written.level_count == 4
    for level in range(1, written.level_count):
        below = level_pixels(written, level - 1)
        assert np.array_equal(level_pixels(written, level), halve(below))


def test_the_last_level_is_one_chunk_and_sizes_round_up():
    assert halved_sizes(Size(2500, 3001), 512) == [
        Size(2500, 3001), Size(1250, 1501), Size(625, 751), Size(313, 376),
    ]  # fmt: skip
    assert halved_sizes(Size(512, 1), 512) == [Size(512, 1)]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_half_is_the_mean_of_the_pixels_that_exist(height, width, seed):
    pixels = planes(height, width, seed)
    half = halve(pixels)
    assert half.shape == (3, -(-height // 2), -(-width // 2))
    for y, x in np.ndindex(half.shape[1:]):
        mean = pixels[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean(axis=(1, 2))
        assert np.array_equal(half[:, y, x], np.floor(mean + 0.5))


def test_a_constant_stays_constant_at_every_level(tmp_path):
    pyramid = write(tmp_path / "slide", np.full((3, 1025, 2049), 77, np.uint8))
    for level in range(pyramid.level_count):
        assert (level_pixels(pyramid, level) == 77).all()


def test_the_frame_and_the_background_come_back(written):
    assert written.frame == FRAME
    assert written.background == BACKGROUND
    assert written.size == Size(2500, 3000)


def test_a_read_beyond_the_edges_gives_background(written):
    region = written.read(0, -3, 2990, Size(10, 20))
    assert (region[:, :3] == BACKGROUND).all()
    assert (region[10:] == BACKGROUND).all()
    assert np.array_equal(region[:10, 3:].transpose(2, 0, 1), planes()[:, 2990:, :7])
    assert (written.read(1, 5000, 0, Size(4, 4)) == BACKGROUND).all()


@pytest.mark.parametrize(
    ("mpp", "level"), [(0.1, 0), (0.5, 0), (0.7, 0), (0.72, 1), (1.0, 1), (2.9, 3), (100.0, 3)]
)
def test_the_nearest_level_is_found_by_ratio(written, mpp, level):
    assert written.level_near(mpp) == level


def test_background_is_not_written(tmp_path):
    pixels = np.full((3, 2500, 4500), BACKGROUND, np.uint8)
    pixels[:, 10, 10] = 0
    pixels[:, 2300, 4300] = 0
    skip = {(2048, 0), (0, 2048), (2048, 2048)}
    pyramid = write(tmp_path / "slide", pixels, skip=skip)
    store = tmp_path / "slide" / PYRAMID_NAME
    written = sorted(str(path.relative_to(store / "0")) for path in (store / "0" / "c").rglob("*")
                     if path.is_file())  # fmt: skip
    assert written == ["c/0/0/0", "c/0/1/2"]
    assert (store / "0" / "c" / "0" / "0" / "0").stat().st_size < 10_000  # one chunk of sixteen
    assert np.array_equal(level_pixels(pyramid, 0), pixels)


def test_a_slide_of_background_alone_has_no_chunks(tmp_path):
    pixels = np.full((3, 2500, 2500), BACKGROUND, np.uint8)
    pyramid = write(tmp_path / "slide", pixels, skip={(0, 0), (2048, 0), (0, 2048)})
    assert not list((tmp_path / "slide").rglob("c"))
    assert (level_pixels(pyramid, 0) == BACKGROUND).all()


def test_threads_do_not_change_a_byte(tmp_path):
    pixels = planes(2500, 4200)
    write(tmp_path / "one", pixels, threads=1)
    write(tmp_path / "two", pixels, threads=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_failing_read_ends_the_writing(tmp_path):
    def read_block(left, top, size):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_pyramid(
            tmp_path / "p.zarr", read_block, Size(9000, 9000), FRAME, background=0, threads=2
        )


def test_any_thread_may_read(written):
    corners = [(x, y) for y in range(0, 3000, 500) for x in range(0, 2500, 500)]
    with ThreadPoolExecutor(4) as pool:
        regions = pool.map(lambda corner: written.read(0, *corner, Size(500, 500)), corners)
        for (left, top), region in zip(corners, regions, strict=True):
            expected = planes()[:, top : top + 500, left : left + 500]
            assert np.array_equal(region.transpose(2, 0, 1), expected)


def test_the_store_is_a_valid_ome_zarr_with_physical_sizes(tmp_path):
    write(tmp_path / "slide", planes(1100, 700))
    group = zarr.open_group(tmp_path / "slide" / PYRAMID_NAME, mode="r")
    multiscale = Image.from_zarr(group).ome_attributes.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == ["c", "y", "x"]
    assert [axis.unit for axis in multiscale.axes] == [None, "micrometer", "micrometer"]
    for level, dataset in enumerate(multiscale.datasets):
        scale, translation = dataset.coordinateTransformations
        assert scale.scale == [1.0, 0.5 * 2**level, 0.5 * 2**level]
        # The centre of pixel 0 lies in the middle of the working pixels 0 to 2**level - 1.
        centre = 0.5 * np.arange(2**level).mean()
        assert translation.translation == [0.0, centre, centre]
        assert group[dataset.path].metadata.dimension_names == ("c", "y", "x")


def test_a_folder_without_a_pyramid_says_which_stage_to_run(tmp_path):
    with pytest.raises(StageInputError, match="run tile again"):
        open_pyramid(tmp_path)
    zarr.open_group(tmp_path / PYRAMID_NAME, mode="w", zarr_format=3)
    with pytest.raises(StageInputError, match="run tile again"):
        open_pyramid(tmp_path)


def spoil_index(content):
    content[-20] ^= 1


def spoil_chunk(content):
    content[:4] = b"none"


def cut_short(content):
    del content[200:]


def empty(content):
    content.clear()


@pytest.mark.parametrize("spoil", [spoil_index, spoil_chunk, cut_short, empty])
def test_a_damaged_shard_is_named(tmp_path, spoil):
    write(tmp_path / "slide", planes())
    pyramid = open_pyramid(tmp_path / "slide")
    path = pyramid.path / "0" / "c" / "0" / "1" / "0"
    content = bytearray(path.read_bytes())
    spoil(content)
    path.write_bytes(content)
    pyramid.read(0, 0, 0, Size(2048, 2048))  # has no part of it
    with pytest.raises(StageInputError, match=f"{path} is damaged .*; run tile again"):
        pyramid.read(0, 0, 0, Size(2500, 3000))
