"""Small files that ask for much memory are refused before they get it."""

import gzip
import io
import struct
import tracemalloc
import zlib

import corpus_recipes as make
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import LabelsError, UnreadableSlideError
from lds_path.geometry import Size
from lds_path.objects import drawn_objects
from lds_path.objects.drawn_objects import read_objects
from lds_path.reference.label_image import open_label_image
from lds_path.reference.legend import Legend
from lds_path.slides.safe_xml import parse_xml
from lds_path.slides.slide import open_slide
from lds_path.slides.tile_header import stated_size

TILE = 256
LEGEND = Legend(("Tumor",))
LAUGHS = make.laughs()
XML = make.ome_xml().replace("600", str(TILE)).replace("480", str(TILE)).encode()
CODECS = {"jpeg": "ycbcr", "jpeg2000": "rgb", "webp": "rgb", "png": "rgb"}


def encode(codec, size):
    pixels = np.full((size, size, 3), 200, np.uint8)
    encoders = {"jpeg": imagecodecs.jpeg8_encode, "jpeg2000": imagecodecs.jpeg2k_encode}
    encode = encoders.get(codec) or getattr(imagecodecs, f"{codec}_encode")
    return bytes(encode(pixels))


def write_tile(path, codec, data, **options):
    """Write a TIFF of one tile that holds any data."""
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            iter([data]), shape=(TILE, TILE, 3), dtype=np.uint8, tile=(TILE, TILE),
            photometric=CODECS[codec], compression=codec, resolution=(2e4, 2e4),
            resolutionunit="CENTIMETER", metadata=None, **options,
        )  # fmt: skip
    return path


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [1, 17, 300])
def test_a_tile_states_its_size(codec, size):
    assert stated_size(encode(codec, size)) == (size, size)


@pytest.mark.parametrize("progressive", [False, True])
def test_any_jpeg_states_its_size(progressive):
    stream = io.BytesIO()
    image = Image.new("RGB", (40, 30))
    image.save(stream, "JPEG", progressive=progressive, comment=b"\xff\xc0 no frame")
    assert stated_size(stream.getvalue()) == (40, 30)


def segment(marker, content):
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def frame(width, height, marker=0xC0):
    components = bytes((1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1))
    return segment(marker, struct.pack(">BHHB", 8, height, width, 3) + components)


SCAN = segment(0xDA, bytes((3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0)))
SKIPPED = 0xE100
"""What a decoder skips that takes a fill byte for a marker: the next marker for a length."""
TWO_FACED = {
    "a frame in a comment": (segment(0xFE, frame(9, 9) + SCAN), b"", True),
    "a frame in a table of colours": (segment(0xE2, frame(9, 9) + SCAN), b"", True),
    "a frame in an unknown segment": (segment(0xC8, frame(9, 9) + SCAN), b"", False),
    "a frame in a reserved segment": (segment(0xF0, frame(9, 9) + SCAN), b"", False),
    "a small frame before": (frame(9, 9), b"", False),
    "a small frame before, an unknown segment": (frame(9, 9) + segment(0xC8, b""), b"", False),
    "a small frame behind": (b"", frame(9, 9), False),
    "a fill byte": (b"\xff\xff\xe1\0\2" + frame(9, 9) + SCAN + bytes(SKIPPED), b"", False),
    "a bare marker": (b"\xff\xd0" + frame(9, 9), b"", False),
    "a segment without a length": (b"\xff\xe1\0\0" + frame(9, 9), b"", False),
    "rubbish between segments": (b"rubbish" + frame(9, 9), b"", False),
}
"""What stands around the frame of 4000 x 4000 pixels, and whether there is one way to read it."""


@pytest.mark.parametrize("name", TWO_FACED)
def test_a_jpeg_states_a_size_only_where_every_decoder_must_find_the_same(name):
    before, behind, sure = TWO_FACED[name]
    data = b"\xff\xd8" + before + frame(4000, 4000) + behind + SCAN
    assert stated_size(data) == ((4000, 4000) if sure else None)


def test_a_small_frame_does_not_hide_a_large_lossless_one():
    """libjpeg refuses marker C8; imagecodecs then asks a decoder that knows lossless frames only."""
    pixels = np.zeros((1000, 1000), np.uint16)
    lossless = bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=12))
    data = lossless[:2] + frame(TILE, TILE) + segment(0xC8, b"") + lossless[2:]
    assert imagecodecs.jpeg_decode(data).shape == pixels.shape
    assert stated_size(data) is None
    assert stated_size(lossless) == (1000, 1000)


def test_a_jpeg_2000_file_with_two_codestreams_states_no_size():
    file = bytes(imagecodecs.jpeg2k_encode(np.zeros((40, 30, 3), np.uint8), codecformat="jp2"))
    small = encode("jpeg2000", 4)
    assert stated_size(file) == (30, 40)
    assert (
        stated_size(file[:12] + struct.pack(">I4s", len(small) + 8, b"free") + small + file[12:])
        is None
    )


@pytest.mark.parametrize("codec", CODECS)
def test_a_tile_cut_before_its_size_states_none(codec):
    data = encode(codec, 64)
    assert all(stated_size(data[:count]) is None for count in range(12))


@pytest.mark.parametrize("codec", CODECS)
def test_a_tile_as_large_as_its_tiff_says_is_read(tmp_path, codec):
    path = write_tile(tmp_path / "a.ome.tif", codec, encode(codec, TILE), description=XML)
    with open_slide(path) as slide:
        assert abs(int(slide.read_region(0, 0, 0, Size(TILE, TILE)).mean()) - 200) <= 2


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_a_tile_larger_than_its_tiff_says_is_not_decoded(tmp_path, codec, name):
    xml = {"description": XML} if "ome" in name else {}
    path = write_tile(tmp_path / name, codec, encode(codec, 4000), **xml)
    tracemalloc.start()
    try:
        with open_slide(path) as slide, pytest.raises(UnreadableSlideError):
            slide.read_region(0, 0, 0, Size(TILE, TILE))
        assert tracemalloc.get_traced_memory()[1] < 4000 * 4000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", [LAUGHS, make.ome_xml(prolog="<!DOCTYPE OME>")])
def test_xml_with_a_document_type_is_not_parsed(text):
    with pytest.raises(ValueError, match="without a document type"):
        parse_xml(text)


def test_xml_with_comments_and_sections_is_parsed():
    assert parse_xml("<a><!-- b --><![CDATA[<]]></a>").text == "<"


@pytest.mark.parametrize("tag", ["description", "xmp"])
@pytest.mark.parametrize("root", ["OME", "scn", "DataObject"])
def test_a_tiff_with_entities_is_refused_whoever_wrote_it(tmp_path, tag, root):
    text = LAUGHS.replace("OME", root)
    path = tmp_path / "slide.tif"
    make.write_tiff(path, make.make_source(None))
    with tifffile.TiffFile(path) as file:
        pixels = file.asarray()
    options = (
        {"description": text.encode()}
        if tag == "description"
        else {"extratags": [(700, "B", None, text.encode(), True)]}
    )
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", metadata=None, **options)
    with pytest.raises(UnreadableSlideError, match="XML with a document type"):
        open_slide(path)


def test_annotations_that_unzip_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_objects, "MAX_BYTES", 10_000)
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(b" " * 10**7))
    tracemalloc.start()
    try:
        with pytest.raises(LabelsError, match="holds more than 0 million characters"):
            read_objects(path)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def open_labels(path):
    return open_label_image(path, LEGEND, Size(64, 64), Size(64, 64))


def test_labels_that_would_run_a_program_are_refused(tmp_path):
    """Pillow hands PostScript to Ghostscript, whatever the name of the file is."""
    path = tmp_path / "labels.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n")
    with pytest.raises(LabelsError, match=r"labels\.png cannot be read as an image"):
        open_labels(path)


def test_a_label_picture_of_too_many_pixels_is_refused(tmp_path):
    make.write_png(tmp_path / "labels.png", make.make_source(None), size=(50_000, 50_000))
    with pytest.raises(LabelsError, match="too large for the memory"):
        open_labels(tmp_path / "labels.png")


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000"])
def test_labels_compressed_as_a_photograph_are_refused(tmp_path, codec):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(64, 64), compression=codec)
    with pytest.raises(LabelsError, match="need a lossless compression"):
        open_labels(path)


@pytest.mark.parametrize("tile", [(64, 64), None])
def test_damaged_labels_are_named(tmp_path, tile):
    path = tmp_path / "labels.tif"
    noise = np.random.default_rng(0).integers(0, 2, (64, 64)).astype(np.uint8)
    tifffile.imwrite(path, noise, tile=tile, compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        start = file.pages.first.dataoffsets[0]
    content[start : start + 20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(LabelsError, match="cannot be decoded"):
        open_labels(path).read(0, 0, Size(64, 64))


def test_labels_that_inflate_beyond_their_size_fill_only_their_size(tmp_path):
    path = tmp_path / "labels.tif"
    data = zlib.compress(bytes(5 * 10**7))
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            iter([data]), shape=(64, 64), dtype=np.uint8, tile=(64, 64), compression="zlib"
        )
    tracemalloc.start()
    try:
        with pytest.raises(LabelsError, match="cannot be decoded"):
            open_labels(path).read(0, 0, Size(64, 64))
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()
