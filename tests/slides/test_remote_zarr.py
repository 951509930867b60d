"""OME-Zarr on a server: the pixels of the same folder on a disk, what crosses the network, and what it is known by."""

import json

import numpy as np
import pytest
from file_server import file_server
from ngff import pyramid, random_pixels, write_image, write_series
from object_store import BUCKET, object_store

from lds_path.errors import RemoteError, UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Size
from lds_path.options.slides import TileOptions
from lds_path.provenance.fingerprint import describe_remote, name_content
from lds_path.remote import stores
from lds_path.remote.address import parse_address
from lds_path.remote.identity import read_state
from lds_path.slides.slide import open_slide
from lds_path.stages.tile import tile

LEVELS = pyramid(random_pixels(600, 800), 2)
IMAGE = {"levels": LEVELS}
FEW = IMAGE | {"axes": "yxc", "channels": 3, "chunk": 512}
"""Of few objects."""
LAYOUTS = {
    "0.4": {},
    "0.4-dots": {"axes": "cyx", "separator": "."},
    "0.5": {"version": "0.5", "axes": "cyx", "channels": 3},
    "0.5-shards": {"version": "0.5", "axes": "cyx", "channels": 3, "shard": 256},
    "0.5-uncompressed-shards": {
        "version": "0.5", "axes": "cyx", "channels": 3, "shard": 1024, "compressors": None,
    },
}  # fmt: skip


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(stores, "RETRIES", 1)
    stores._open_store.cache_clear()
    with file_server() as running:
        yield running
    stores._open_store.cache_clear()


def objects_of(folder):
    return {
        file.relative_to(folder.parent).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def serve(server):
    def serve(folder):
        server.files |= {f"/{name}": content for name, content in objects_of(folder).items()}
        return parse_address(f"{server.address}/{folder.name.replace(' ', '%20')}")

    return serve


def levels_of(slide):
    return [
        slide.read_region(number, -5, 3, level.size) for number, level in enumerate(slide.levels)
    ]


def assert_same(path, address, **options):
    with open_slide(path, **options) as local, open_slide(address, **options) as remote:
        assert remote.levels == local.levels
        assert len(remote.levels) == 3
        assert (remote.mpp, remote.mpp_source) == (local.mpp, local.mpp_source)
        assert remote.description.format == "OME-Zarr"
        for found, expected in zip(levels_of(remote), levels_of(local), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert remote.unreadable_tiles == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_levels_mpp_and_pixels_are_those_of_the_folder_on_a_disk(tmp_path, serve, layout):
    path = write_image(tmp_path / "a slide.ome.zarr", **IMAGE, **LAYOUTS[layout])
    assert_same(path, serve(path))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_bucket_has_the_same_slide_and_a_slash_at_the_end_is_the_same_address(tmp_path, version):
    path = write_image(tmp_path / "ü.zarr", **FEW, version=version)
    with object_store() as client:
        for name, content in objects_of(path).items():
            client.put_object(Bucket=BUCKET, Key=f"case 1/{name}", Body=content)
        address = parse_address(f"s3://{BUCKET}/case 1/ü.zarr/")
        assert address == parse_address(f"s3://{BUCKET}/case 1/ü.zarr")
        assert_same(path, address)
        assert read_state(address).documents == 4


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_images_are_found_although_a_web_server_lists_nothing(tmp_path, serve, listed, version):
    second = FEW | {"levels": pyramid(random_pixels(600, 800, seed=1), 2)}
    path = write_series(tmp_path / "a.zarr", [FEW, second], version=version)
    if not listed:
        for file in (path / "OME").iterdir():
            file.unlink()
    address = serve(path)
    with pytest.raises(UnsuitableSlideError, match="scene"):
        open_slide(address)
    assert_same(path, address, scene="1")
    assert_same(path / "1", address / "1")
    assert read_state(address).documents == 1 + listed + 2 * 4


def test_only_chunks_that_are_looked_at_cross_the_network(tmp_path, serve, server):
    layout = LAYOUTS["0.5"] | {"compressors": None}
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE, **layout))
    with open_slide(address) as slide:
        assert server.sent.total() < 20_000
        server.sent.clear()
        slide.read_region(0, 130, 130, Size(100, 100))
        slide.read_region(0, 150, 150, Size(100, 100))
        assert server.sent == {"/a.zarr/0/c/0/1/1": 3 * 128 * 128}


def test_of_a_shard_the_index_crosses_once_and_of_its_chunks_those_that_are_looked_at(
    tmp_path, serve, server
):
    layout = LAYOUTS["0.5-uncompressed-shards"]
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE, **layout))
    index = 16 * 8 * 8 + 4
    with open_slide(address) as slide:
        server.sent.clear()
        slide.read_region(0, 130, 130, Size(100, 100))
        slide.read_region(0, 260, 130, Size(100, 100))
        assert server.sent == {"/a.zarr/0/c/0/0/0": index + 2 * 3 * 128 * 128}


@pytest.mark.parametrize("layout", ["0.4", "0.5-shards"])
@pytest.mark.parametrize("fill", [255, 0])
def test_what_is_not_stored_has_the_fill_value_and_what_was_lost_is_white_and_counted(
    tmp_path, serve, server, layout, fill
):
    pixels = LEVELS[0].copy()
    pixels[:512, :512] = fill
    path = write_image(tmp_path / "a.zarr", pyramid(pixels, 2), fill_value=fill, **LAYOUTS[layout])
    assert_same(path, serve(path))
    shape = LAYOUTS[layout].get("shard", 128)
    end = f"/{512 // shape}/{512 // shape}"
    lost = [name for name in server.files if name.startswith("/a.zarr/0/") and name.endswith(end)]
    assert lost
    for name in lost:
        del server.files[name]
    with open_slide(parse_address(f"{server.address}/a.zarr")) as slide:
        shown = slide.read_region(0, 512, 512, Size(80, 80))
        assert slide.unreadable_tiles == 1
        assert (shown == 255).all()


def test_a_chunk_that_a_coarse_level_lost_is_white_and_counted(tmp_path, serve, server):
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE))
    for channel in range(3):
        del server.files[f"/a.zarr/2/0/{channel}/0/0/1"]
    with open_slide(address, max_unreadable_percent=100) as slide:
        shown = slide.read_region(2, 0, 0, slide.levels[2].size)
        assert slide.unreadable_tiles == 1
    assert (shown[:128, 128:] == 255).all()
    np.testing.assert_array_equal(shown[:, :128], LEVELS[2][:, :128])


def test_a_connection_that_breaks_is_never_a_white_chunk(tmp_path, serve, server):
    with open_slide(serve(write_image(tmp_path / "a.zarr", **IMAGE))) as slide:
        server.broken = 10**6
        with pytest.raises(RemoteError):
            slide.read_region(0, 0, 0, slide.size)
        with pytest.raises(RemoteError):
            slide.peek(0, slide.bounds_l0)
        server.broken = 0
        assert slide.unreadable_tiles == 0


def test_a_slide_that_is_not_there_or_is_damaged_is_a_problem_of_the_slide(serve, server, tmp_path):
    address = parse_address(f"{server.address}/none.zarr")
    with pytest.raises(UnreadableSlideError, match=r"neither zarr.json nor .zattrs there\); check"):
        open_slide(address)
    assert read_state(address) is None
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE))
    server.files["/a.zarr/.zattrs"] = b"{"
    with pytest.raises(UnreadableSlideError, match=r"/a.zarr/.zattrs is damaged"):
        open_slide(address)
    assert read_state(address) is not None


@pytest.mark.parametrize("place", ["../secret", "/etc", "0/../.."])
def test_what_lies_outside_the_store_is_not_asked_for(tmp_path, serve, server, place):
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE))
    attributes = json.loads(server.files["/a.zarr/.zattrs"])
    attributes["multiscales"][0]["datasets"][0]["path"] = place
    server.files["/a.zarr/.zattrs"] = json.dumps(attributes).encode()
    with pytest.raises(UnreadableSlideError):
        open_slide(address)
    read_state(address)
    assert all(path.startswith("/a.zarr/") and ".." not in path for _, path, _ in server.requests)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_slide_is_known_by_each_of_its_documents_and_not_by_its_chunks(
    tmp_path, serve, server, version
):
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE, version=version))
    documents = [
        name for name in server.files if name.endswith(("zarr.json", ".zarray", ".zattrs"))
    ]
    documents = [name for name in documents if version == "0.5" or not name.endswith("0/.zattrs")]
    documents = [name for name in documents if name.count("/") == 2 or not name.endswith(".zattrs")]
    first = read_state(address)
    assert first.describe() == {"documents": len(documents), "etags": first.etag}
    assert len(documents) == 4
    for name in documents:
        server.files[name] += b"\n"
        changed = read_state(address)
        assert (changed.sha256 != first.sha256, changed.identity != first.identity) == (True, True)
        first = changed
    chunk = next(name for name in server.files if name.startswith("/a.zarr/0/") and name[-1] == "0")
    server.files[chunk] = b"other"
    assert read_state(address) == first


def test_a_slide_that_was_written_again_with_the_same_metadata_is_another(tmp_path, serve, server):
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE))
    first = read_state(address)
    server.modified = "Thu, 02 Jan 2025 00:00:00 GMT"
    assert read_state(address).sha256 != first.sha256


def test_the_manifest_of_tile_has_what_the_server_says(tmp_path, serve):
    address = serve(write_image(tmp_path / "a.zarr", **IMAGE))
    manifest = tile(address, tmp_path / "tile" / "a", options=TileOptions(mpp=0.25))
    assert manifest.status == "done"
    described = manifest.inputs["slide"]
    assert described == describe_remote(address)
    state = read_state(address)
    assert described["statement"] == {"documents": 4, "etags": state.etag}
    told = f"documents 4, etags {state.etag}, as the server says"
    assert name_content(described) == told
