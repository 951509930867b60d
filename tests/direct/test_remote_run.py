"""Runs on slides in a bucket: results, what crosses the network again, failures, and no secret anywhere."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from file_server import file_server
from object_store import BUCKET, KEY_ID, SECRET, object_store

from lds_path.api.results import open_result
from lds_path.api.slides import open_slide
from lds_path.cli import cli
from lds_path.direct import slide_stages
from lds_path.errors import ChangedInputError
from lds_path.options.slides import DemoOptions
from lds_path.provenance.explanation import explain
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.verification import verify
from lds_path.remote import stores
from lds_path.remote.kept_parts import shared_parts
from lds_path.sharing.crate import write_crate
from lds_path.stages import tile as tile_stage
from lds_path.stages.demo import demo

CONFIG = "detect: {region_size: 1024, overlap: 128, lattice: 128, min_tissue_um2: 1.0}\n"
STAGES = {"tile", "detect", "plan", "segment", "stitch", "export", "assess"}


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Two painted slides of more than 512 working pixels, so that they have several levels."""
    folder = tmp_path_factory.mktemp("slides")
    for name, seed in (("one", 3), ("two", 4)):
        demo(folder / name, options=DemoOptions(seed=seed, width=1600, height=1200))
    return [(folder / name / "slide.tif").read_bytes() for name in ("one", "two")]


@pytest.fixture
def read_again(monkeypatch):
    """Let small slides count as large: their finer levels are read from the slide."""
    monkeypatch.setattr(tile_stage, "SMALL_PIXELS", 0)


@pytest.fixture
def server(monkeypatch):
    """A server that speaks as much of S3 as is needed, counts what it sends, and fails when it is told."""
    with file_server() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setattr(stores, "RETRIES", 1)
        stores._open_store.cache_clear()
        shared_parts.cache_clear()
        yield running
    stores._open_store.cache_clear()


def start(folder, source, *arguments):
    (folder / "mine.yaml").write_text(CONFIG)
    command = ["run", str(source), "-o", str(folder / "out"), "--model", "demo", "--threads", "2"]
    return CliRunner().invoke(cli, [*command, "--config", str(folder / "mine.yaml"), *arguments])


def times(folder):
    found = [
        *(folder / "out").glob("*/*/manifest.json"),
        *(folder / "out").glob("*/*/*/manifest.json"),
    ]
    return {path.relative_to(folder / "out").parts[0]: path.stat().st_mtime_ns for path in found}


def repeated(before, after):
    return {stage for stage in after if before.get(stage) != after[stage]}


def test_a_slide_in_a_bucket_gives_the_labels_of_the_same_file_on_a_disk(
    tmp_path, slides, read_again
):
    name = "case 1/a slide.tif"
    local = tmp_path / "local"
    local.mkdir()
    (local / "a slide.tif").write_bytes(slides[0])
    assert start(local, local / "a slide.tif").exit_code == 0
    with object_store() as client:
        client.put_object(Bucket=BUCKET, Key=name, Body=slides[0])
        result = start(tmp_path, f"s3://{BUCKET}/{name}")
        assert result.exit_code == 0, result.output
        assert verify(tmp_path / "out").findings == ()
        etag = client.head_object(Bucket=BUCKET, Key=name)["ETag"]
        found, expected = (open_result(folder / "out", "a-slide") for folder in (tmp_path, local))
        for part in ("labels", "pyramid"):
            pixels = [getattr(item, part).levels[0].compute() for item in (found, expected)]
            assert np.array_equal(*pixels)
        assert found.slide.levels[0].shape == expected.slide.levels[0].shape
        _check_what_is_written(tmp_path / "out", f"s3://{BUCKET}/{name}", etag, len(slides[0]))
        _check_changes(client, name, tmp_path, slides)


def _check_what_is_written(out, address, etag, size):
    """Check that results name the slide and what it is known by, and hold no secret."""
    described = read_manifest(out / "tile" / "a-slide").inputs["slide"]
    assert described["path"] == address
    assert described["statement"] == {"bytes": size, "etag": etag}
    assert read_manifest(out / "segment/a-slide/1-of-1").inputs["slide"] == described
    told = f"{address} (etag {etag}, {size} bytes, as the server says)"
    assert told in explain(out / "stitch" / "a-slide")
    write_crate(out)
    crate = json.loads((out / "ro-crate-metadata.json").read_text())
    sources = [item for item in crate["@graph"] if item["@id"].startswith("#slide-")]
    assert [("sha256" in item, item["name"]) for item in sources] == [(False, "a slide.tif")]
    project = json.loads((out / "qupath" / "project.qpproj").read_text())
    assert [image["serverBuilder"]["uri"] for image in project["images"]] == [
        address.replace(" ", "%20")
    ]
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert SECRET.encode() not in everything
    assert KEY_ID.encode() not in everything


def _check_changes(client, name, folder, slides):
    """Check that a replaced object is noticed by a run, a verification and an open image."""
    image = open_slide(f"s3://{BUCKET}/{name}")
    client.put_object(Bucket=BUCKET, Key=name, Body=slides[1])
    (finding,) = [item for item in verify(folder / "out").findings if "tile" in item.expected]
    assert str(finding.path) == f"s3://{BUCKET}/{name}"
    assert "put the slide back" in finding.remedy
    with pytest.raises(ChangedInputError, match="has changed since it was opened"):
        image.levels[0].compute()
    before = times(folder)
    assert start(folder, f"s3://{BUCKET}/{name}").exit_code == 0
    assert repeated(before, times(folder)) >= STAGES
    assert verify(folder / "out").findings == ()


def test_a_finished_run_asks_whether_slides_changed_and_reads_nothing(tmp_path, slides, server):
    server.files["/slides/a.tif"] = slides[0]
    assert start(tmp_path, "s3://slides/a.tif").exit_code == 0
    before = times(tmp_path)
    server.sent.clear()
    server.requests.clear()
    result = start(tmp_path, "s3://slides/a.tif")
    assert result.exit_code == 0
    assert "done before" in result.stderr
    assert server.sent.total() == 0
    assert {method for method, _, _ in server.requests} == {"HEAD"}
    assert repeated(before, times(tmp_path)) == set()


def test_only_tiles_that_are_looked_at_cross_the_network(tmp_path, slides, server, read_again):
    server.files["/slides/a.tif"] = slides[0] + bytes(10**6)
    assert start(tmp_path, "s3://slides/a.tif").exit_code == 0
    assert 0 < server.sent.total() < 2.5 * len(slides[0])
    assert all(asked for method, _, asked in server.requests if method == "GET")


def test_a_connection_that_is_cut_fails_the_slide_and_a_second_run_does_the_rest(
    tmp_path, slides, server
):
    server.files |= {"/slides/a.tif": slides[0], "/slides/b.tif": slides[1]}
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("slide\tpath\na\ts3://slides/a.tif\nb\ts3://slides/b.tif\n")
    server.broken = 10**6
    result = start(tmp_path, sheet)
    assert result.exit_code == 1
    assert (
        "a (tile): s3://slides/a.tif cannot be read: the server cannot be reached, or the"
        in result.stdout
    )
    assert "run the same command again, which resumes" in result.stdout
    assert not (tmp_path / "out/tile/a").exists()
    assert not list((tmp_path / "out").rglob(".*.*.lds-path"))
    server.broken = 0
    result = start(tmp_path, sheet)
    assert (result.exit_code, "2 slides: 2 done" in result.stdout) == (0, True), result.output


def test_one_that_is_cut_while_finer_levels_are_read_leaves_what_was_done(
    tmp_path, slides, server, read_again, monkeypatch
):
    server.files["/slides/a.tif"] = slides[0]
    finished = tile_stage.tile

    def tile(**arguments):
        manifest = finished(**arguments)
        shared_parts.cache_clear()  # as in the process of another job
        server.broken = 10**6
        return manifest

    monkeypatch.setitem(slide_stages.STAGES, "tile", tile)
    result = start(tmp_path, "s3://slides/a.tif")
    assert result.exit_code == 1
    assert "a (assess): s3://slides/a.tif cannot be read" in result.stdout
    server.broken = 0
    before = times(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(tile_stage, "SMALL_PIXELS", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert start(tmp_path, "s3://slides/a.tif").exit_code == 0
    assert repeated(before, times(tmp_path)) == {"assess"}


def test_a_slide_that_is_not_there_is_quarantined_until_it_is(tmp_path, slides, server):
    result = start(tmp_path, "s3://slides/a.tif")
    assert result.exit_code == 0
    assert (
        "a (tile): s3://slides/a.tif cannot be opened (there is no such object); check"
        in result.stdout
    )
    server.files["/slides/a.tif"] = slides[0]
    assert "1 slides: 1 done" in start(tmp_path, "s3://slides/a.tif").stdout


def test_one_of_another_format_is_quarantined_with_the_remedy(tmp_path, server):
    server.files["/slides/a.png"] = b"\x89PNG\r\n\x1a\n" + bytes(100)
    assert "mount the bucket (rclone mount)" in start(tmp_path, "s3://slides/a.png").stdout


@pytest.mark.parametrize("command", [["run", "-o", "out", "--model", "demo"], ["tile"]])
def test_a_password_on_the_command_line_is_refused_before_anything_is_written(
    tmp_path, command, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    name, *rest = command
    arguments = [name, "https://me:hunter2@host/a.svs", *(rest or ["out"])]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code != 0
    assert "hunter2" not in f"{result.output}{result.exception}"
    assert list(tmp_path.iterdir()) == []
