"""lds-path view shows a results folder to this computer alone, at full resolution, and changes nothing."""

import http.client
import io
import json
import shutil
import socket
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from stage_folders import CLASSES, make_folders

from lds_path.cli import cli
from lds_path.errors import StageInputError, UsageError
from lds_path.options.quality import ReportOptions
from lds_path.provenance.cohort import read_slide_record
from lds_path.provenance.manifest import FILE_NAME
from lds_path.reporting.zoom.tiles import TILE
from lds_path.stages.report import report
from lds_path.viewing.served_slide import open_served
from lds_path.viewing.server import make_server
from lds_path.viewing.site import open_site

SIZE = (1100, 700)


def make_results(root):
    """Results of one slide, with a report without tiles."""
    columns = np.linspace(60, 200, SIZE[0]).astype(np.uint8)
    rgb = np.stack([np.broadcast_to(columns, SIZE[::-1])] * 3, axis=-1)
    labels = np.where(np.arange(SIZE[0]) < 600, 1, 2) * np.ones((SIZE[1], 1))
    tissue = np.ones((SIZE[1] // 16 + 1, SIZE[0] // 16 + 1), bool)
    make_folders(root, "s", rgb, tissue, labels.astype(np.uint8), tile={"slide_mpp": 0.5})
    report(root, root / "report", slides=["s"], options=ReportOptions(zoom="false"))
    return root


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("viewed") / 'a "b" <c> %2e #1? ö')


@contextmanager
def serving(results):
    with make_server(open_site(results), 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def server(results):
    with serving(results) as running:
        yield running


def ask(server, path, method="GET", body=None, **headers):
    """Return status, headers and content of what lies below the token."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def describe(server):
    return json.loads(ask(server, f"{server.base}zoom/s.json")[2])


def test_the_address_opens_the_cohort_and_the_page_of_a_slide(server):
    path = urlsplit(server.address).path
    status, headers, content = ask(server, path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<h1>Cohort of 1 slide</h1>" in content
    assert ask(server, f"{server.base}report/slides/s.html")[0] == 200
    assert server.base.encode() in ask(server, f"{server.base}report/viewer/served.js")[2]


def test_only_this_computer_and_only_with_the_token_is_answered(server):
    assert server.server_address[0] == "127.0.0.1"
    path = urlsplit(server.address).path
    assert ask(server, "/")[0] == 404
    assert ask(server, "/report/index.html")[0] == 404
    assert ask(server, f"/{'x' * len(server.token)}/report/index.html")[0] == 404
    assert ask(server, path, Host="evil.example")[0] == 404
    assert ask(server, path, Origin="https://evil.example")[0] == 404
    assert ask(server, path, Host="localhost:9000")[0] == 200


def test_each_server_has_a_token_of_its_own(server, results):
    with make_server(open_site(results), 0) as other:
        assert other.token != server.token
        assert len(other.token) >= 32


@pytest.mark.parametrize(
    "path",
    ["report/../tile/s/manifest.json", "report/%2e%2e/tile/s/manifest.json",
     "report/..%2ftile%2fs%2fmanifest.json", "report//etc/passwd", "report/%2fetc%2fpasswd",
     "report/%00", "report/slides", "report/", "report", "", "tile/s/manifest.json",
     "zoom/..%2f..%2fx.json", "zoom/t.json", "tiles/t/slide/0/0_0.jpg",
     "tiles/..%2ftile%2fs/slide/0/0_0.jpg", "tiles/s/other/0/0_0.jpg", "tiles/s/slide/9/0_0.jpg",
     "tiles/s/slide/0/9_0.jpg", "tiles/s/slide/0/-1_0.jpg", "tiles/s/slide/x/0_0.jpg"],
)  # fmt: skip
def test_nothing_else_is_found(server, path):
    assert ask(server, server.base + path)[0] == 404


def test_links_out_of_the_results_are_not_followed(tmp_path):
    root = make_results(tmp_path / "results")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (root / "report" / "link.txt").symlink_to(secret)
    (root / "report" / "folder").symlink_to(tmp_path)
    (tmp_path / "outside").mkdir()
    shutil.move(root / "tile" / "s", tmp_path / "outside" / "s")
    (root / "tile" / "s").symlink_to(tmp_path / "outside" / "s")
    with serving(root) as server:
        for path in ("report/link.txt", "report/folder/secret.txt"):
            assert ask(server, server.base + path)[0] == 404
        status, _, content = ask(server, f"{server.base}zoom/s.json")
        assert status == 404
        assert b"is a link out of the results folder" in content


def test_tiles_show_the_pyramid_and_the_labels_at_full_resolution(server, results):
    zoom = describe(server)
    slide, labels = zoom["layers"][:2]
    assert (slide["name"], labels["name"]) == ("slide", "labels")
    assert [slide["levels"][0][side] for side in ("width", "height")] == list(SIZE)
    shown = picture(server, f"{slide['path']}/0/1_0.jpg")
    columns = np.linspace(60, 200, SIZE[0])[TILE : 2 * TILE]
    assert abs(shown[..., 0] - columns).max() < 6
    shown = picture(server, f"{labels['path']}/0/1_0.png")
    assert shown[100, 50].tolist() == list(CLASSES[0].color)
    assert shown[100, 200].tolist() == list(CLASSES[1].color)


def test_maps_are_served_as_one_picture(server):
    confidence = describe(server)["layers"][2]
    assert confidence["name"] == "confidence"
    height, width, _ = picture(server, confidence["path"]).shape
    assert [confidence["levels"][0][side] for side in ("width", "height")] == [width, height]


def picture(server, path):
    status, _, content = ask(server, path)
    assert status == 200
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_a_slide_that_is_finer_than_its_pyramid_is_read_itself(tmp_path):
    root = make_results(tmp_path / "results")
    fine = np.zeros((2 * SIZE[1], 2 * SIZE[0], 3), np.uint8)
    fine[:, ::2] = 200  # lines that half the resolution cannot show
    Image.fromarray(fine).save(tmp_path / "slide.png")
    change_manifest(root / "tile" / "s", {"path": str(tmp_path / "slide.png"), "sha256": ""}, 0.25)
    served = open_served(read_slide_record(root, "s"), root)
    assert served.mpp == 0.25
    tile = Image.open(io.BytesIO(served.make_tile("slide", 0, 1, 1)))
    rows = np.asarray(tile.convert("L"))[100, :8]
    assert (np.abs(np.diff(rows.astype(int))) > 100).all()
    assert served.make_tile("slide", 1, 0, 0) is not None
    (tmp_path / "slide.png").write_bytes(b"damaged")
    assert open_served(read_slide_record(root, "s"), root).mpp == 0.5


def change_manifest(folder, slide, mpp):
    content = json.loads((folder / FILE_NAME).read_text())
    content["inputs"]["slide"] = slide
    content["results"]["slide_mpp"] = mpp
    (folder / FILE_NAME).write_text(json.dumps(content))


def test_a_damaged_file_is_one_line_and_the_rest_is_still_served(tmp_path):
    root = make_results(tmp_path / "results")
    (root / "stitch" / "s" / "s.labels.ome.tif").write_bytes(b"II*\0")
    with serving(root) as server:
        status, _, content = ask(server, f"{server.base}zoom/s.json")
        assert (status, content.count(b"\n")) == (404, 1)
        assert b"run stitch again for this slide" in content
        assert ask(server, f"{server.base}report/index.html")[0] == 200


def files_of(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_looking_changes_nothing(server, results):
    before = files_of(results)
    for path in ("report/index.html", "zoom/s.json", "tiles/s/slide/0/0_0.jpg", "reviews"):
        assert ask(server, server.base + path)[0] == 200
        assert ask(server, server.base + path, "HEAD")[2] == b""
        for method in ("PUT", "DELETE", "PATCH"):
            assert ask(server, server.base + path, method)[0] == 501
    assert ask(server, f"{server.base}report/index.html", "POST", "{}")[0] == 404
    assert files_of(results) == before


def note(server, **review):
    body = json.dumps({"slide": "s", "reviewed": True, "remark": "", "result": "abc", **review})
    return ask(server, f"{server.base}reviews", "POST", body, Content_Type="application/json")


def test_a_review_is_kept_in_a_table_and_a_later_one_replaces_it(server, results):
    assert note(server, remark="first")[0] == 200
    status, _, content = note(server, remark="=a\tfold\nin the middle")
    assert status == 200
    assert json.loads(content)["s"]["remark"] == "=a fold in the middle"
    header, row = (results / "reviews.tsv").read_text().splitlines()
    assert header.split("\t") == ["slide", "reviewed", "remark", "result", "noted"]
    assert row.split("\t")[:4] == ["s", "yes", "'=a fold in the middle", "abc"]
    assert json.loads(ask(server, f"{server.base}reviews")[2]) == json.loads(content)


@pytest.mark.parametrize(
    "review", [{"slide": "../s"}, {"slide": 3}, {"reviewed": "yes"}, {"remark": None}]
)
def test_what_is_no_review_is_refused(server, review):
    status, _, content = note(server, **review)
    assert (status, content.count(b"\n")) == (400, 1)


def test_a_review_that_is_too_long_or_of_another_site_is_refused(server, results):
    before = files_of(results)
    assert note(server, remark="x" * 20_000)[0] == 413
    path, body = f"{server.base}reviews", '{"slide": "s", "reviewed": true, "remark": ""}'
    assert ask(server, path, "POST", body, Content_Type="text/plain")[0] == 404
    asked = {"Content_Type": "application/json", "Origin": "https://evil.example"}
    assert ask(server, path, "POST", body, **asked)[0] == 404
    assert files_of(results) == before


def test_a_table_of_reviews_that_is_none_is_named_and_kept(tmp_path):
    root = make_results(tmp_path / "results")
    (root / "reviews.tsv").write_bytes(b"\xff\xfe mine")
    with serving(root) as server:
        status, _, content = note(server)
        assert status == 400
        assert b"reviews.tsv is not a table of reviews" in content
    assert (root / "reviews.tsv").read_bytes() == b"\xff\xfe mine"


def test_what_cannot_be_shown_is_said_in_one_line(tmp_path, results):
    known = {
        "nowhere": "does not exist; name the folder with the results of a run",
        "file": "is a file; name the folder with the results of a run",
        "empty": "has no finished report; wait for the end of the run, or write it by",
        "unfinished": "has no finished report",
        "old": "was written by another version, and has no viewer",
        "strange": "is not a manifest",
    }
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished" / "report").mkdir(parents=True)
    shutil.copytree(results, tmp_path / "old")
    shutil.rmtree(tmp_path / "old" / "report" / "viewer")
    shutil.copytree(results, tmp_path / "strange")
    (tmp_path / "strange" / "report" / FILE_NAME).write_text("[]")
    for name, words in known.items():
        with pytest.raises((UsageError, StageInputError), match=words) as caught:
            open_site(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="is the report itself; name the results folder"):
        open_site(results / "report")


def test_a_port_in_use_is_said_in_one_line(results):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is in use; name another by --port"):
            make_server(open_site(results), port)


def test_the_command_names_the_problem_before_it_listens(tmp_path):
    outcome = CliRunner().invoke(cli, ["view", str(tmp_path / "nowhere")])
    assert isinstance(outcome.exception, UsageError)
