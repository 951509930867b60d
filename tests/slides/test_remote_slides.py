"""Slides on a server: the same pixels as of a file on a disk, and what is refused."""

import io

import numpy as np
import pytest
import tifffile
from file_server import file_server
from PIL import Image

from lds_path.errors import RemoteError, SlideProblem
from lds_path.remote import stores
from lds_path.remote.address import parse_address
from lds_path.remote.kept_parts import shared_parts
from lds_path.slides.slide import open_slide

RNG = np.random.default_rng(7)
SHAPE = (600, 800, 3)


@pytest.fixture(scope="module")
def server():
    with file_server() as running:
        yield running


@pytest.fixture
def serve(server, tmp_path):
    def serve(path):
        server.files[f"/{path.name}"] = path.read_bytes()
        server.sent.clear()
        shared_parts.cache_clear()
        return parse_address(f"{server.address}/{path.name}")

    return serve


def pixels(shape=SHAPE):
    """Return a smooth picture, which JPEG hardly changes."""
    small = RNG.integers(60, 250, (shape[0] // 40, shape[1] // 40, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0])))


def write(path, *, kind="generic", levels=3, tile=(128, 128), **keywords):
    """Write a pyramid whose levels halve."""
    image = pixels()
    description = (
        "Aperio Image Library v1\n800x600|AppMag = 20|MPP = 0.499" if kind == "svs" else None
    )
    options = {
        "tile": tile,
        "photometric": "rgb",
        "compression": "jpeg",
        "metadata": None,
        **keywords,
    }
    with tifffile.TiffWriter(path, bigtiff=kind == "big", ome=False) as writer:
        for level in range(levels):
            shown = image[:: 2**level, :: 2**level]
            resolution = (1e4 / 0.5 / 2**level,) * 2
            writer.write(
                shown, description=description if level == 0 else None, resolution=resolution,
                resolutionunit="CENTIMETER", subfiletype=1 if level and kind != "svs" else 0, **options,
            )  # fmt: skip
    return path


def write_ome(path):
    image = pixels()
    with tifffile.TiffWriter(path, ome=True) as writer:
        metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        options = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib"}
        writer.write(image, subifds=1, metadata=metadata, **options)
        writer.write(image[::2, ::2], subfiletype=1, **options)
    return path


@pytest.mark.parametrize("kind", ["generic", "big", "svs", "ome"])
def test_levels_mpp_and_pixels_are_those_of_the_file_on_a_disk(tmp_path, serve, kind):
    path = tmp_path / f"{kind}.tif"
    path = write_ome(path) if kind == "ome" else write(path, kind=kind)
    with open_slide(path) as local, open_slide(serve(path)) as remote:
        assert remote.levels == local.levels
        assert (remote.mpp, remote.mpp_source) == (local.mpp, local.mpp_source)
        assert remote.bounds_l0 == local.bounds_l0
        assert len(local.levels) > 1
        for number, level in enumerate(local.levels):
            expected = local.read_region(number, -5, 3, level.size)
            assert np.array_equal(remote.read_region(number, -5, 3, level.size), expected)
        assert remote.description.vendor in ("", local.description.vendor)
        assert remote.description.objective_power == local.description.objective_power


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_real_slides_have_the_same_pixels_whether_jpeg_or_jpeg_2000(data, serve, name):
    path = data / "slides" / name
    with open_slide(path, mpp=0.5) as local, open_slide(serve(path), mpp=0.5) as remote:
        assert remote.levels == local.levels
        for number, level in enumerate(local.levels):
            # Elsewhere OpenSlide interpolates a level whose factor is no whole number.
            place = (number, 0, 0, level.size.cut_to(type(level.size)(700, 500)))
            assert np.array_equal(remote.read_region(*place), local.read_region(*place))


def test_a_rectangle_costs_its_tiles_and_the_directories(tmp_path, serve, server):
    address = serve(write(tmp_path / "a.tif", compression=None))
    with open_slide(address) as slide:
        opened = server.sent.total()
        slide.read_region(0, 130, 130, type(slide.size)(100, 100))
        assert server.sent.total() - opened == 128 * 128 * 3
    assert opened < 60_000


def test_a_connection_that_breaks_is_never_a_white_tile(tmp_path, serve, server, monkeypatch):
    monkeypatch.setattr(stores, "RETRIES", 1)
    stores._open_store.cache_clear()
    with open_slide(serve(write(tmp_path / "a.tif"))) as slide:
        server.broken = 10**6
        try:
            with pytest.raises(RemoteError):
                slide.read_region(0, 0, 0, slide.size)
            with pytest.raises(RemoteError):
                slide.peek(0, slide.bounds_l0)
        finally:
            server.broken = 0
        assert slide.unreadable_tiles == 0


def test_one_that_breaks_while_directories_are_read_is_no_damaged_tiff(
    tmp_path, serve, server, monkeypatch
):
    monkeypatch.setattr(stores, "RETRIES", 1)
    stores._open_store.cache_clear()
    address = serve(write(tmp_path / "a.tif"))
    server.broken = 10**6
    try:
        with pytest.raises(RemoteError):
            open_slide(address)
    finally:
        server.broken = 0


def test_a_damaged_tile_is_white_and_counted_as_in_a_file_on_a_disk(tmp_path, serve):
    path = write(tmp_path / "a.tif", levels=1, compression="zlib")
    with tifffile.TiffFile(path) as file:
        at = file.pages.first.dataoffsets[3]
    with path.open("r+b") as stream:
        stream.seek(at + 4)
        stream.write(b"\xff" * 40)
    with open_slide(path, max_unreadable_percent=100) as local:
        expected = local.read_region(0, 0, 0, local.size)
    with open_slide(serve(path), max_unreadable_percent=100) as remote:
        assert np.array_equal(remote.read_region(0, 0, 0, remote.size), expected)
        assert remote.unreadable_pieces == local.unreadable_pieces != ()


def _png(path):
    Image.fromarray(pixels()).save(path, "PNG")


def _strips(path):
    tifffile.imwrite(path, pixels(), photometric="rgb", resolution=(2e4, 2e4))


def _cut(path):
    write(path)
    path.write_bytes(path.read_bytes()[:-2000])


def _philips(path):
    write(path, software="Philips DP v1.0")


def _medscan(path):
    write(path, software="MedScan 3")


def _jpeg_2000_ycc(path):
    write(path, kind="svs", compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            at = page.tags["Compression"].valueoffset
            content[at : at + 2] = (33003).to_bytes(2, "little")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "finding"),
    [
        (_png, "read only from a disk; on a server SVS, OME-TIFF, tiled TIFF and OME-Zarr"),
        (_strips, "no tiles, so that all of it would cross the network; copy it to a disk"),
        (_cut, "cut short or damaged"),
        (_philips, "read only from a disk"),
        (_medscan, "read only from a disk"),
        (
            _jpeg_2000_ycc,
            "of the kind APERIO_JP2000_YCBC, which are decoded only in files on a disk",
        ),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"II*\0" + bytes(5)), "cut short or damaged|damaged TIFF"),
    ],
)
def test_what_cannot_be_read_from_a_server_is_a_problem_of_the_slide(
    tmp_path, serve, make, finding
):
    path = tmp_path / "a.tif"
    make(path)
    with pytest.raises(SlideProblem, match=finding):
        open_slide(serve(path), mpp=0.5)


def test_files_that_a_remote_ome_tiff_names_are_not_looked_for_here(tmp_path, serve, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ome(tmp_path / "secret.ome.tif")
    stream = io.BytesIO()
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="800"'
        ' SizeY="600" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
        '<Channel ID="Channel:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1">'
        '<UUID FileName="secret.ome.tif">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
    )
    tifffile.imwrite(
        stream, pixels(), tile=(128, 128), photometric="rgb", description=xml, metadata=None
    )
    path = tmp_path / "public.ome.tif"
    path.write_bytes(stream.getvalue())
    opened = []
    real = tifffile.FileHandle.open
    monkeypatch.setattr(
        tifffile.FileHandle, "open", lambda self: (opened.append(self.name), real(self))[1]
    )
    address = serve(path)
    with pytest.raises(SlideProblem):
        open_slide(address)
    assert "secret.ome.tif" not in opened
