"""What each released version wrote is read by this one; see docs/compatibility.md."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lds_path as lds
from lds_path.cli import cli
from lds_path.models.checkpoint import load_model
from lds_path.viewing.server import make_server
from lds_path.viewing.site import open_site

RELEASED = Path(__file__).parent
VERSIONS = sorted(path.parent.name for path in RELEASED.glob("*/results.tar.xz"))
EXPORTED = "results/export/scan/scan.geojson.gz"


@pytest.fixture(scope="module", params=VERSIONS)
def version(request) -> str:
    """Return a released version."""
    return request.param


@pytest.fixture(scope="module")
def unpacked(version, tmp_path_factory) -> Path:
    """Return the folder of a run by that version."""
    folder = tmp_path_factory.mktemp(version)
    with tarfile.open(RELEASED / version / "results.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def folder(unpacked, tmp_path, monkeypatch) -> Path:
    """Return a copy of it, the working folder of a test."""
    copy = tmp_path / "study"
    shutil.copytree(unpacked, copy)
    monkeypatch.chdir(copy)
    return copy


def call(*arguments):
    """Return what a command says; it has to end well."""
    ended = CliRunner().invoke(cli, arguments)
    assert ended.exit_code == 0, ended.output
    return ended.output


def test_this_version_is_among_them():
    assert lds.__version__ in VERSIONS


def test_its_archive_is_small(version):
    assert (RELEASED / version / "results.tar.xz").stat().st_size < 300_000


def test_its_results_are_opened(folder):
    result = lds.open_result(folder / "results", "scan")
    labels = np.asarray(result.labels.levels[0])
    assert labels.shape == (512, 512)
    assert {0} < set(np.unique(labels)) <= {0, 1, 2}
    assert [each.name for each in result.classes] == ["Pale", "Dark"]
    assert result.metrics.keys() >= {"mpp", "blur", "staining"}
    assert len(result.read_objects()) > 0


def test_its_results_match_their_manifests_together_with_pages_of_this_version(folder):
    call("report", "results", "results/report", "--sheet", "slides.tsv")
    assert "all match" in call("verify", "results", "--no-slides", "--no-versions")


def test_a_changed_file_of_its_results_is_found(folder):
    with (folder / EXPORTED).open("ab") as file:
        file.write(b" ")
    ended = CliRunner().invoke(cli, ["verify", "results", "--no-slides", "--no-versions"])
    assert ended.exit_code == 1
    assert EXPORTED in ended.output


def test_how_its_files_were_made_is_explained(folder, version):
    said = call("explain", EXPORTED)
    assert f"lds-path {version}" in said
    for stage in ("tile", "detect", "plan", "segment", "stitch", "export"):
        assert f". {stage}: " in said


def test_its_pages_are_served(folder):
    call("report", "results", "results/report", "--sheet", "slides.tsv")
    with make_server(open_site(folder / "results"), 0) as server:
        page = server.find(["report", "slides", "scan.html"])
        tile = server.find(["tiles", "scan", "labels", "0", "0_0.png"])
    assert b"scan" in page.content
    assert tile.content.startswith(b"\x89PNG")


def test_its_model_is_described_and_segments(folder):
    assert "Pale" in call("describe", "model")
    segmenter, card = load_model(folder / "model")
    assert card.class_names == ("Pale", "Dark")
    assert segmenter.spec.ladder == (16, 32)
    places = [f"results/{stage}/scan" for stage in ("tile", "plan")]
    call("segment", *places, "again", "--model", "model", "--device", "cpu")
    stored, again = (
        read_probabilities(Path(place, "predictions.npz"))
        for place in ("results/segment/scan/1-of-1", "again")
    )
    assert again.shape == (4, 2, 32, 32)
    np.testing.assert_allclose(again, stored, atol=3)  # other processors round otherwise


def read_probabilities(path):
    """Return the probabilities of all regions."""
    with np.load(path) as file:
        names = sorted(name for name in file if name.endswith("/probability"))
        return np.stack([file[name] for name in names]).astype(int)
