"""Of a file with several images the one that is named is read, by its number or its name."""

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from ngff import pyramid, random_pixels, write_series
from PIL import Image

import lds_path as lds
from lds_path.cli import cli
from lds_path.errors import UnsuitableSlideError
from lds_path.formats.pyramid import open_pyramid
from lds_path.options.slides import TileOptions
from lds_path.slides.slide import open_slide
from lds_path.stages import tile as stage
from lds_path.stages.tile import tile

FIRST, SECOND = random_pixels(480, 600, seed=1), random_pixels(480, 600, seed=2)
LABEL = random_pixels(60, 80, seed=3)
IMAGES = {"left": (FIRST, 0.5), "right": (SECOND, 0.25), "label": (LABEL, 2.0)}
TILED = {"tile": (128, 128), "photometric": "rgb", "compression": "deflate"}


def write_ome(path):
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, (pixels, mpp) in IMAGES.items():
            described = {"axes": "YXS", "Name": name, "PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
            writer.write(pixels, metadata=described, subifds=1, **TILED)
            writer.write(pixels[::2, ::2], subfiletype=1, **TILED)
    return path


def write_zarr(path):
    images = [
        {"levels": pyramid(pixels, 1), "mpp": mpp, "name": name}
        for name, (pixels, mpp) in IMAGES.items()
    ]
    return write_series(path, images)


def write_pages(path, *, levels=True, **options):
    """Write images as pages, each followed by its level."""
    with tifffile.TiffWriter(path) as writer:
        for name, (pixels, mpp) in IMAGES.items():
            for step in (1, 2) if levels else (1,):
                writer.write(
                    pixels[::step, ::step], metadata=None, subfiletype=int(step > 1),
                    resolution=(1e4 / mpp / step,) * 2, resolutionunit="CENTIMETER",
                    description=name if step == 1 else None, **(options or TILED),
                )  # fmt: skip
    return path


def write_strips(path):
    return write_pages(path, levels=False, photometric="rgb", rowsperstrip=32)


FILES = {
    "a.ome.tif": (write_ome, 1),
    "a.ome.zarr": (write_zarr, 1),
    "a.tif": (write_pages, 2),
    "strips.tif": (write_strips, 1),
}
"""How many numbers there are from one image to the next."""


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("index", range(3))
def test_the_image_that_is_named_is_read_with_its_size(tmp_path, file, by_name, index):
    write, step = FILES[file]
    path = write(tmp_path / file)
    name, (pixels, mpp) = list(IMAGES.items())[index]
    with open_slide(path, scene=name.upper() if by_name else str(step * index)) as slide:
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, slide.size), pixels)
        assert slide.mpp == pytest.approx(mpp)
        assert [level.downsample for level in slide.levels][1:] == [2.0] * (file != "strips.tif")
        assert slide.description.other_images == ()


@pytest.mark.parametrize("file", FILES)
def test_without_a_name_images_of_one_size_are_listed_with_what_to_do(tmp_path, file):
    path = FILES[file][0](tmp_path / file)
    with pytest.raises(UnsuitableSlideError, match="column 'scene'") as raised:
        open_slide(path)
    assert "0 'left': 600 x 480" in str(raised.value) or file == "strips.tif"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("scene", ["9", "middle", "-1", "0 "])
def test_a_wrong_name_is_told_with_the_scenes_that_are_there(tmp_path, file, scene):
    path = FILES[file][0](tmp_path / file)
    with pytest.raises(UnsuitableSlideError) as raised:
        open_slide(path, scene=scene)
    message = str(raised.value)
    assert f"has no scene '{scene}'" in message
    for name, (pixels, _) in IMAGES.items():
        assert f"'{name}': {pixels.shape[1]} x {pixels.shape[0]}" in message
    assert "\n" not in message


def test_two_images_of_one_name_are_named_by_number(tmp_path):
    images = [{"levels": [pixels], "name": "scan"} for pixels in (FIRST, SECOND)]
    path = write_series(tmp_path / "a.zarr", images)
    with pytest.raises(UnsuitableSlideError, match="has 2 scenes 'scan'"):
        open_slide(path, scene="scan")
    with open_slide(path, scene="1") as slide:
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, slide.size), SECOND)


def test_what_is_read_as_one_image_has_one_scene(tmp_path, data):
    Image.fromarray(FIRST).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", data / "slides" / "CMU-1-Small-Region.svs"):
        open_slide(path, mpp=0.5, scene="0").close()
        with pytest.raises(UnsuitableSlideError, match="read as one image, and has no scene '1'"):
            open_slide(path, mpp=0.5, scene="1")


def test_finer_levels_and_lazy_arrays_are_those_of_the_scene(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SMALL_PIXELS", 0)
    path, folder = write_ome(tmp_path / "a.ome.tif"), tmp_path / "tile" / "a"
    options = TileOptions(mpp=0.25, scene="right", finest_level=1)
    manifest = tile(path, folder, options=options)
    assert manifest.parameters["scene"] == "right"
    assert (manifest.results["scene"], manifest.results["image_number"]) == ("right", 1)
    pyramid = open_pyramid(folder)
    assert pyramid.finest == 1
    np.testing.assert_array_equal(pyramid.read(0, 0, 0, pyramid.size), SECOND)
    lazy = lds.open_slide(path, scene=1)
    np.testing.assert_array_equal(lazy.levels[0].compute(), SECOND.transpose(2, 0, 1))
    assert lazy.levels[0].name != lds.open_slide(path, scene=0).levels[0].name


def test_the_command_line_takes_a_scene(tmp_path):
    path = write_zarr(tmp_path / "a.ome.zarr")
    arguments = ["tile", str(path), str(tmp_path / "out"), "--scene", "left"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    pyramid = open_pyramid(tmp_path / "out")
    np.testing.assert_array_equal(pyramid.read(0, 0, 0, pyramid.size), FIRST)
