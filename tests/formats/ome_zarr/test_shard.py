from __future__ import annotations

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

from lds_path.formats.ome_zarr.shard import write_shard

FILL = 9


def planes(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)
    pixels[:, :16, 16:] = FILL
    return pixels


def create(folder, pixels):
    """An array of 16-pixel chunks in one shard of 4 x 4 of them."""
    return zarr.create_array(
        folder, shape=pixels.shape, chunks=(3, 16, 16), shards=(3, 64, 64), dtype="uint8",
        fill_value=FILL, compressors=[ZstdCodec(level=1)], config={"write_empty_chunks": False},
    )  # fmt: skip


def write(folder, pixels):
    path = folder / "c" / "0" / "0" / "0"
    write_shard(path, pixels, chunk=16, chunks_across=4, fill_value=FILL, level=1)
    return path


@pytest.mark.parametrize("size", [(64, 64), (50, 33), (1, 1)])
def test_zarr_reads_the_shard_back(tmp_path, size):
    pixels = planes(*size)
    array = create(tmp_path, pixels)
    write(tmp_path, pixels)
    assert np.array_equal(array[:], pixels)


def test_a_shard_is_as_long_as_the_one_that_zarr_writes(tmp_path):
    pixels = planes(50, 60)
    path = write(tmp_path / "ours", pixels)
    create(tmp_path / "zarr", pixels)[:] = pixels
    theirs = tmp_path / "zarr" / "c" / "0" / "0" / "0"
    assert path.stat().st_size == pytest.approx(theirs.stat().st_size, rel=0.01)


def test_a_shard_of_nothing_but_the_fill_value_is_not_written(tmp_path):
    assert not write(tmp_path, np.full((3, 40, 40), FILL, np.uint8)).exists()


def test_a_flipped_bit_in_the_index_is_found_by_zarr(tmp_path):
    pixels = planes(64, 64)
    array = create(tmp_path, pixels)
    path = write(tmp_path, pixels)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        array[:]
