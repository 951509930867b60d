import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Size
from lds_path.slides import slide as slides
from lds_path.slides.probe import is_regular, probe
from lds_path.slides.readers.image import open_image
from lds_path.slides.slide import READERS, open_slide

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
TIFFS = {
    "vendor.tif": {"tile": (64, 64), "photometric": "rgb"},
    "openslide.tif": {"tile": (64, 64), "photometric": "rgb", "compression": "jpeg2000"},
    "slide.ome.tif": {"tile": (64, 64), "photometric": "rgb"},
    "strips.tif": {"photometric": "rgb"},
    "cmyk.tif": {"photometric": "separated"},
}


def write(path, **options):
    pixels = PIXELS if options["photometric"] == "rgb" else np.dstack([PIXELS, PIXELS[..., :1]])
    tifffile.imwrite(path, pixels, **options)
    return path


@pytest.fixture
def opened(monkeypatch):
    """Every TIFF that tifffile opens."""
    files = []
    plain = tifffile.TiffFile.__init__

    def note(self, *arguments, **options):
        files.append(self)
        plain(self, *arguments, **options)

    monkeypatch.setattr(tifffile.TiffFile, "__init__", note)
    return files


@pytest.mark.parametrize("name", TIFFS)
def test_tifffile_opens_a_tiff_once_and_it_is_closed_in_the_end(tmp_path, opened, name):
    path = write(tmp_path / name, **TIFFS[name])
    opened.clear()
    with open_slide(path, mpp=0.5) as slide:
        slide.read_region(0, 0, 0, Size(9, 9))
    assert len(opened) == 1
    assert opened[0].filehandle.closed


def test_a_tiff_is_closed_before_any_pixel_is_read_if_its_reader_does_not_need_it(tmp_path, opened):
    path = write(tmp_path / "slide.tif", **TIFFS["strips.tif"])
    opened.clear()
    with open_slide(path, mpp=0.5) as slide:
        assert opened[0].filehandle.closed
        assert (slide.read_region(0, 0, 0, slide.size) == PIXELS).all()


def test_a_tiff_that_is_refused_is_closed(tmp_path, opened):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS.astype(np.uint16), tile=(64, 64))
    opened.clear()
    with pytest.raises(UnreadableSlideError, match="uint16"):
        open_slide(tmp_path / "a.tif")
    assert opened[0].filehandle.closed


@pytest.mark.parametrize("name", TIFFS)
def test_a_probe_tells_an_ome_tiff_from_others(tmp_path, name):
    with probe(write(tmp_path / name, **TIFFS[name])) as found:
        assert found.is_ome == (".ome." in name)
        assert found.tiff is not None


def test_a_probe_of_a_damaged_tiff_says_why_tifffile_does_not_open_it(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x01")
    with probe(tmp_path / "a.tif") as found:
        assert found.tiff is None
        assert isinstance(found.tiff_error, Exception)


def test_a_probe_of_an_image_is_no_tiff_and_of_a_folder_no_file(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with probe(tmp_path / "a.png") as found:
        assert (found.magic, found.tiff, found.tiff_error) == (b"\x89PNG", None, None)
        assert not found.is_folder
    with probe(tmp_path) as found:
        assert found.is_folder


def test_every_reader_leaves_a_folder_and_a_text_to_the_next(tmp_path):
    (tmp_path / "a.txt").write_text("no slide")
    for path in (tmp_path, tmp_path / "a.txt"):
        with probe(path) as found:
            assert [open_reader(found) for open_reader in READERS] == [None] * len(READERS)


def test_a_further_reader_is_one_line_in_the_list(tmp_path, monkeypatch):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")

    def open_folder(found):
        if not found.is_folder:
            return None
        with probe(found.path / "a.png") as inside:
            return open_image(inside)

    with pytest.raises(UnreadableSlideError, match="is a folder; name a file"):
        open_slide(tmp_path, mpp=0.5)
    monkeypatch.setattr(slides, "READERS", (open_folder, *READERS))
    with open_slide(tmp_path, mpp=0.5) as slide:
        assert slide.size == Size(420, 300)


def test_only_a_file_is_regular(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    kinds = {"file": True, "pipe": False, "": False, "missing": False, "a\0b": False}
    assert {name: is_regular(tmp_path / name) for name in kinds} == kinds
