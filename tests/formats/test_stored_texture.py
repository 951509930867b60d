"""The stored texture of a slide is what its pixels have."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from lds_path.errors import StageInputError
from lds_path.formats.texture import CHUNK, StoredTexture, write_texture
from lds_path.geometry import Size
from lds_path.pixels.octaves import TEXTURE_CHANNELS, TEXTURE_EDGE
from lds_path.pixels.texture import measure_texture

SIZE = Size(1500, 1250)
GLASS = 240


@pytest.fixture(scope="module")
def planes():
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE.height, SIZE.width), np.uint8)
    pixels[:, :, TEXTURE_EDGE * CHUNK :] = GLASS
    return pixels


@pytest.fixture(scope="module")
def stored(planes, tmp_path_factory):
    def read_block(left, top, size):
        block = planes[:, top : top + size.height, left : left + size.width]
        return None if (block == GLASS).all() else block

    path = tmp_path_factory.mktemp("slide") / "texture.zarr"
    write_texture(path, read_block, SIZE, background=GLASS, threads=2)
    return StoredTexture(1, path, zarr.open_array(path, mode="r"))


def test_texture_is_that_of_the_pixels_up_to_the_edges(planes, stored):
    beyond = [(0, 0), (0, -SIZE.height % TEXTURE_EDGE), (0, -SIZE.width % TEXTURE_EDGE)]
    expected = measure_texture(np.pad(planes, beyond, constant_values=GLASS))
    _, height, width = expected.shape
    np.testing.assert_array_equal(stored.read(0, 0, Size(width, height)), expected)
    np.testing.assert_array_equal(stored.read(50, 90, Size(31, 17)), expected[:, 90:107, 50:81])
    assert expected[..., :CHUNK].any()


def test_beyond_the_edges_there_is_none(stored):
    whole = Size(stored.array.shape[2], stored.array.shape[1])
    part = stored.read(-3, whole.height - 2, Size(10, 10))
    assert part.shape == (TEXTURE_CHANNELS, 10, 10)
    assert part[:, :2, 3:].any()
    assert not part[:, 2:].any()
    assert not part[..., :3].any()


def test_damage_is_named(stored):
    path = next(path for path in sorted(stored.path.rglob("c/*/*/*")) if path.is_file())
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(StageInputError, match=r"texture\.zarr is damaged .* run tile again"):
        stored.read(0, 0, Size(8, 8))
    path.write_bytes(whole)
