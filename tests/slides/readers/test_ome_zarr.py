"""OME-Zarr as a slide: pixels, size, levels and damage, in what its writers may choose."""

import json
import zlib

import numcodecs
import numpy as np
import ome_zarr_models
import pytest
import zarr
from ngff import channels_of, pyramid, random_pixels, write_image, write_series
from zarr.codecs import BloscCodec, GzipCodec, TransposeCodec

from lds_path.errors import (
    MissingMppError,
    SlideProblem,
    UnreadableSlideError,
    UnsuitableSlideError,
)
from lds_path.geometry import Size
from lds_path.slides.slide import open_slide

PIXELS = random_pixels(600, 800)
LEVELS = pyramid(PIXELS, 2)
RGB = channels_of(("Channel 0", "FF0000"), ("Channel 1", "00FF00"), ("Channel 2", "0000FF"))
LAYOUTS = {
    "bioformats2raw": {"omero": RGB},
    "qupath": {"axes": "cyx", "separator": ".", "compressors": numcodecs.Zlib()},
    "channels-last": {"axes": "yxc", "channels": 3, "chunk": 150},
    "two-channels-in-a-chunk": {"axes": "cyx", "channels": 2},
    "zstd": {"compressors": numcodecs.Zstd()},
    "lz4": {"compressors": numcodecs.LZ4()},
    "gzip": {"compressors": numcodecs.GZip()},
    "uncompressed": {"compressors": None},
    "fortran": {"order": "F"},
    "0.5": {"version": "0.5", "axes": "czyx"},
    "0.5-uncompressed": {"version": "0.5", "compressors": None},
    "0.5-gzip": {"version": "0.5", "compressors": GzipCodec()},
    "0.5-blosc": {"version": "0.5", "compressors": BloscCodec(), "axes": "yxc", "channels": 3},
    "0.5-transposed": {"version": "0.5", "axes": "cyx", "filters": TransposeCodec(order=(1, 2, 0))},
    "0.5-shards": {"version": "0.5", "axes": "cyx", "channels": 3, "shard": 512},
    "0.5-small-shards": {"version": "0.5", "shard": 256, "chunk": 64},
}


def whole(slide, level=0):
    return slide.read_region(level, 0, 0, slide.levels[level].size)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pixels_levels_and_size_are_those_that_were_written(tmp_path, layout):
    path = write_image(tmp_path / "slide.ome.zarr", LEVELS, **LAYOUTS[layout])
    if LAYOUTS[layout].get("axes") != "yxc":  # which OME-Zarr leaves to other programs
        ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))  # raises if it is not valid
    with open_slide(path) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.25, "metadata")
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        for number, pixels in enumerate(LEVELS):
            np.testing.assert_array_equal(whole(slide, number), pixels)
        part = slide.read_region(0, 700, 500, Size(200, 200))
        np.testing.assert_array_equal(part[:100, :100], PIXELS[500:, 700:])
        assert (part[100:] == 255).all()
        assert (part[:, 100:] == 255).all()
        assert slide.unreadable_tiles == 0
        assert slide.description.other_images == ()


def test_a_pyramid_of_the_package_is_a_slide(tmp_path):
    from lds_path.formats.pyramid_writer import write_pyramid
    from lds_path.geometry import Frame

    planes = PIXELS.transpose(2, 0, 1)

    def read_block(left, top, size):
        return planes[:, top : top + size.height, left : left + size.width]

    write_pyramid(
        tmp_path / "p.ome.zarr", read_block, Size(800, 600), Frame(0.5, 1.0), background=243
    )
    with open_slide(tmp_path / "p.ome.zarr") as slide:
        assert slide.mpp == 0.5
        assert [level.downsample for level in slide.levels] == [1, 2]
        np.testing.assert_array_equal(whole(slide), PIXELS)


def edit(folder, change):
    """Change the metadata of an image of version 0.4."""
    file = folder / ".zattrs"
    content = json.loads(file.read_text())
    change(content["multiscales"][0], content)
    file.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(("unit", "mpp"), [("nanometer", 250.0), ("millimeter", 0.25e-3)])
def test_the_unit_of_the_axes_counts(tmp_path, unit, mpp):
    path = write_image(tmp_path / "a.zarr", LEVELS, unit=unit, mpp=mpp)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)


def test_a_scale_of_the_whole_image_counts_as_well(tmp_path):
    def change(multiscale, _):
        scale = [1, 1, 1, 2.0, 2.0]
        multiscale["coordinateTransformations"] = [{"type": "scale", "scale": scale}]

    with open_slide(edit(write_image(tmp_path / "a.zarr", LEVELS), change)) as slide:
        assert slide.mpp == 0.5
        assert [level.downsample for level in slide.levels] == [1, 2, 4]


def test_a_scale_without_a_unit_is_no_size(tmp_path):
    path = write_image(tmp_path / "a.zarr", LEVELS, unit=None)
    with pytest.raises(MissingMppError):
        open_slide(path)
    with open_slide(path, mpp=0.3) as slide:
        assert slide.mpp == 0.3


@pytest.mark.parametrize(("shift", "used"), [(0.125, True), (40.0, False)])
def test_a_level_that_lies_elsewhere_is_not_used(tmp_path, shift, used):
    """The middle of the first mean of 2 x 2 pixels is half a pixel further."""

    def change(multiscale, _):
        translation = {"type": "translation", "translation": [0, 0, 0, shift, shift]}
        multiscale["datasets"][1]["coordinateTransformations"].append(translation)

    with open_slide(edit(write_image(tmp_path / "a.zarr", LEVELS), change)) as slide:
        assert (2.0 in [level.downsample for level in slide.levels]) == used


# --- chunks that are not there -----------------------------------------------------------------


@pytest.mark.parametrize("fill", [255, 0])
@pytest.mark.parametrize("layout", [{}, {"version": "0.5", "axes": "cyx", "shard": 256}])
def test_what_was_not_stored_because_it_is_empty_has_the_fill_value(tmp_path, layout, fill):
    pixels = PIXELS.copy()
    pixels[:512, :512] = fill
    path = write_image(
        tmp_path / "a.zarr", pyramid(pixels, 2), chunk=128, fill_value=fill, **layout
    )
    files = len([file for file in (path / "0").rglob("*") if file.is_file()])
    assert files <= 3 * (5 * 7 - 16) + 2  # zarr does not write such chunks
    with open_slide(path) as slide:
        np.testing.assert_array_equal(whole(slide), pixels)
        assert slide.unreadable_tiles == 0
        assert len(slide.levels) == 3


@pytest.mark.parametrize("channel", [None, 1])
def test_a_chunk_that_was_lost_is_white_and_counted(tmp_path, channel):
    path = write_image(tmp_path / "a.zarr", LEVELS, chunk=256)
    for number in range(3) if channel is None else [channel]:
        (path / "0" / "0" / str(number) / "0" / "1" / "2").unlink()
    with open_slide(path) as slide:
        shown = whole(slide)
        assert slide.unreadable_tiles == 1
    assert (shown[256:512, 512:768] == 255).all()
    shown[256:512, 512:768] = PIXELS[256:512, 512:768]
    np.testing.assert_array_equal(shown, PIXELS)


def test_a_level_that_lost_a_chunk_is_not_used(tmp_path):
    path = write_image(tmp_path / "a.zarr", LEVELS)
    (path / "1" / "0" / "2" / "0" / "1" / "1").unlink()
    with open_slide(path) as slide:
        assert [level.downsample for level in slide.levels] == [1, 4]


def test_a_damaged_chunk_is_white_and_counted(tmp_path):
    path = write_image(tmp_path / "a.zarr", LEVELS, chunk=256)
    chunk = path / "0" / "0" / "1" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-100])
    with open_slide(path) as slide:
        shown = whole(slide)
        assert slide.unreadable_tiles == 1
    assert (shown[:256, :256] == 255).all()
    np.testing.assert_array_equal(shown[256:], PIXELS[256:])


def test_a_checksum_shows_that_a_chunk_of_a_shard_changed(tmp_path):
    path = write_image(
        tmp_path / "a.zarr", LEVELS, version="0.5", axes="cyx", channels=3, chunk=256, shard=1024,
        compressors=None, filters=None,
    )  # fmt: skip
    (shard,) = (path / "0" / "c").rglob("0/0/0")
    content = bytearray(shard.read_bytes())
    content[-10] ^= 1  # in the index
    shard.write_bytes(content)
    with open_slide(path, max_unreadable_percent=100) as slide:
        assert (whole(slide) == 255).all()
        assert slide.unreadable_tiles == 12


@pytest.mark.parametrize("wbits", [15, 31])
def test_a_chunk_does_not_take_more_memory_than_the_metadata_state(tmp_path, wbits):
    codec = numcodecs.Zlib() if wbits == 15 else numcodecs.GZip()
    path = write_image(tmp_path / "a.zarr", LEVELS, chunk=256, compressors=codec)
    packer = zlib.compressobj(wbits=wbits)
    bomb = packer.compress(bytes(2**27)) + packer.flush()
    chunk = path / "0" / "0" / "0" / "0" / "0" / "0"
    chunk.write_bytes(bomb)
    with open_slide(path) as slide:
        whole(slide)
        assert slide.unreadable_tiles == 1


# --- what is refused ---------------------------------------------------------------------------


def refused(path):
    with pytest.raises(SlideProblem) as raised:
        open_slide(path).close()
    message = str(raised.value)
    assert path.name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"extra": {"z": 5}}, "5 focal planes"),
        ({"extra": {"t": 3}}, "3 points in time"),
        ({"omero": channels_of(("DAPI", "0000FF"), ("FITC", "00FF00"), ("Cy5", "FF0000"))}, "DAPI"),
        ({"omero": channels_of(("DAPI", "FF0000"), ("FITC", "00FF00"), ("Cy5", "0000FF"))}, "FITC"),
        ({"omero": channels_of(("0", "00FFFF"), ("1", "00FF00"), ("2", "FF00FF"))}, "#00ffff"),
    ],
)
def test_planes_and_dyes_are_named(tmp_path, options, words):
    path = write_image(tmp_path / "a.zarr", LEVELS[:1], **options)
    assert words in refused(path)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (PIXELS.astype(np.uint16), "uint16"),
        (PIXELS.astype(np.float32), "float32"),
        (PIXELS[..., :1], "1 channel;"),
        (np.concatenate([PIXELS, PIXELS], axis=2), "6 channels"),
    ],
)
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_other_pixels_than_8_bit_rgb_are_named(tmp_path, pixels, words, version):
    path = write_image(tmp_path / "a.zarr", [pixels], version=version)
    assert words in refused(path)


def test_other_versions_are_named(tmp_path):
    path = write_image(tmp_path / "new.zarr", LEVELS, version="0.6")
    assert "is OME-Zarr 0.6; expected 0.4 or 0.5" in refused(path)

    def change(multiscale, _):
        multiscale |= {"version": "0.3", "axes": ["t", "c", "z", "y", "x"]}

    assert "OME-Zarr 0.3" in refused(edit(write_image(tmp_path / "old.zarr", LEVELS), change))


def test_zarr_that_is_no_image_is_told_from_a_folder(tmp_path):
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    assert "no image that OME-Zarr metadata" in refused(tmp_path / "group.zarr")
    (tmp_path / "folder.zarr").mkdir()
    assert "neither zarr.json nor .zattrs" in refused(tmp_path / "folder.zarr")
    (tmp_path / "folder").mkdir()
    assert "is a folder" in refused(tmp_path / "folder")
    group = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": []}
    assert "plate of wells" in refused(tmp_path / "plate.zarr")


def test_a_compression_that_is_not_read_is_named(tmp_path):
    path = write_image(tmp_path / "a.zarr", LEVELS, compressors=numcodecs.BZ2())
    assert "compressed by bz2; expected one of blosc, gzip" in refused(path)


@pytest.mark.parametrize("file", [".zattrs", "0/.zarray"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"shape": "x"}', b"\xff\xfe"])
def test_damaged_metadata_are_one_line(tmp_path, file, content):
    path = write_image(tmp_path / "a.zarr", LEVELS)
    (path / file).write_bytes(content)
    message = refused(path)
    assert "damaged" in message or "no image" in message


@pytest.mark.parametrize("place", ["../secret", "/etc", "0/../.."])
def test_levels_outside_the_store_are_not_read(tmp_path, place):
    path = edit(
        write_image(tmp_path / "a.zarr", LEVELS),
        lambda multiscale, _: multiscale["datasets"][0].update(path=place),
    )
    assert "refers to" in refused(path)


# --- several images ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_largest_image_is_the_slide_and_others_are_named(tmp_path, version):
    label = {"levels": [PIXELS[:100, :90]], "name": "label image"}
    images = [label, {"levels": LEVELS, "name": "scan"}, {"levels": [PIXELS[:64, :300]]}]
    path = write_series(tmp_path / "a.ome.zarr", images, version=version)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(whole(slide), PIXELS)
        assert slide.description.other_images == (
            "image 0 'label image': 90 x 100",
            "image 2: 300 x 64",
        )
    with open_slide(path / "0") as label_image:
        np.testing.assert_array_equal(whole(label_image), PIXELS[:100, :90])


def test_two_images_of_about_one_size_are_named(tmp_path):
    images = [{"levels": LEVELS, "name": "first"}, {"levels": LEVELS, "name": "second"}]
    path = write_series(tmp_path / "a.ome.zarr", images)
    with pytest.raises(UnsuitableSlideError, match="image 0 'first': 800 x 600, image 1 'second'"):
        open_slide(path)


def test_an_image_of_the_listed_ones_that_is_not_there_is_an_error(tmp_path):
    path = write_series(tmp_path / "a.ome.zarr", [{"levels": LEVELS}])
    (path / "0" / "0" / ".zarray").unlink()
    with pytest.raises(UnreadableSlideError, match="incomplete: its level 0 has no metadata"):
        open_slide(path)
