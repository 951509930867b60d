"""The metadata of a results folder as an RO-Crate: its shape, and what rocrate reads of it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from small_slides import paint
from stage_folders import make_folders

from lds_path.cli import cli
from lds_path.errors import UsageError
from lds_path.models.card import find_model, read_card
from lds_path.options.labels import SegmentOptions
from lds_path.options.slides import DemoOptions, TileOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.sharing.crate import CRATE_NAME, write_crate
from lds_path.stages.demo import demo
from lds_path.stages.export import export
from lds_path.stages.segment import segment
from lds_path.stages.tile import tile

IN_CRATE = ("File", "Dataset")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A slide up to export; a second one that is only tiled; a third whose predictions are real."""
    results = tmp_path_factory.mktemp("crate") / "results"
    rgb, labels = paint(0, 600, 500)
    folders = make_folders(results, "case-1", rgb, np.ones((32, 38), np.bool_), labels)
    export(folders.stitch, results / "export/case-1")
    (results.parent / "scans").mkdir()
    Image.fromarray(rgb).save(results.parent / "scans/case 2.png")
    tile(
        results.parent / "scans/case 2.png",
        results / "tile/case-2",
        options=TileOptions(slide_mpp=0.5),
    )
    segment(
        folders.tile,
        results / "plan/case-1",
        results / "segment/case-3",
        model="demo",
        options=SegmentOptions(),
    )
    demo(results / "demo/painted", options=DemoOptions(width=700, height=600))
    tile(results / "demo/painted/slide.tif", results / "tile/painted", options=TileOptions())
    (results / "detect/case-2").mkdir()
    (results / "detect/case-2/.lds-path").touch()  # a stage that is still at work
    (results / "config.yaml").write_text("model: demo\n")
    return results


@pytest.fixture
def crate(results):
    """Return the entities of its crate, by identifier."""
    path = write_crate(results, replace=True)
    graph = json.loads(path.read_text())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph)
    return entities


def references(value):
    """Yield the identifiers that a value refers to."""
    if isinstance(value, dict) and set(value) == {"@id"}:
        yield value["@id"]
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from references(item)


def test_every_reference_leads_to_an_entity_and_every_file_to_the_root(crate):
    outside = {"https://w3id.org/ro/crate/1.1"}
    for entity in crate.values():
        assert set(references(entity)) <= {*crate, *outside}
    reached, found = {"./"}, ["./"]
    while found:
        parts = set(references(crate[found.pop()].get("hasPart", []))) - reached
        reached |= parts
        found += parts
    assert {name for name, item in crate.items() if item["@type"] in IN_CRATE} == reached


def test_it_follows_the_profile_of_process_runs(crate):
    descriptor, root = crate[CRATE_NAME], crate["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert {"name", "description", "datePublished", "license"} <= set(root)
    actions = [item for item in crate.values() if item["@type"] == "CreateAction"]
    assert [action["@id"] for action in actions] == list(references(root["mentions"]))
    for action in actions:
        assert crate[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
        assert action["startTime"] <= action["endTime"]
        assert action["object"]
        assert action["result"]


def test_outputs_have_the_hashes_of_the_manifests(crate, results):
    manifest = read_manifest(results / "stitch/case-1")
    labels = crate["stitch/case-1/case-1.labels.ome.tif"]
    recorded = manifest.outputs["case-1.labels.ome.tif"]
    assert labels["sha256"] == recorded["sha256"]
    assert labels["contentSize"] == str(recorded["bytes"])
    assert labels["encodingFormat"] == "image/tiff"
    assert crate["tile/case-1/pyramid.ome.zarr/"]["@type"] == "Dataset"
    action = crate["#action-stitch/case-1"]
    assert {"tile/case-1/", "detect/case-1/"} <= set(references(action["object"]))


def test_slide_and_model_are_named_without_their_place(crate, results):
    action = crate["#action-tile/case-2"]
    slide = next(crate[name] for name in references(action["object"]) if "slide-" in name)
    recorded = read_manifest(results / "tile/case-2").inputs["slide"]
    assert (slide["name"], slide["sha256"]) == ("case 2.png", recorded["sha256"])
    model = next(item for name, item in crate.items() if name.startswith("#model-"))
    card = read_card(find_model("demo"))
    assert model["name"] == "demo"
    assert crate[model["license"]["@id"]]["name"] == card.licence
    text = json.dumps(list(crate.values()))
    assert str(results.parent) not in text
    assert str(find_model("demo").parent) not in text


def test_a_slide_that_a_stage_painted_is_the_file_of_that_stage(crate):
    action = crate["#action-tile/painted"]
    assert "demo/painted/slide.tif" in set(references(action["object"]))
    assert crate["demo/painted/slide.tif"]["@type"] == "File"


def test_a_stage_that_did_not_finish_is_left_out(crate):
    assert "tile/case-2/" in crate
    assert not [name for name in crate if "detect/case-2" in name]


def test_rocrate_reads_it(crate, results):
    rocrate = pytest.importorskip("rocrate.rocrate", reason="rocrate is not installed")
    read = rocrate.ROCrate(results)
    assert read.name == "Segmentation of 3 slides by lds-path"
    assert read.get("export/case-1/case-1.geojson.gz").type == "File"
    assert {entity.id for entity in read.get_by_type("CreateAction")} == {
        name for name, item in crate.items() if item["@type"] == "CreateAction"
    }


def test_the_command_writes_it_once_unless_asked_to_replace_it(results, tmp_path):
    copy = str(shutil.copytree(results, tmp_path / "results"))
    (tmp_path / "results" / CRATE_NAME).unlink(missing_ok=True)
    licence = "https://creativecommons.org/licenses/by/4.0/"
    ended = CliRunner().invoke(cli, ["crate", copy, "--licence", licence])
    assert ended.exit_code == 0
    assert ended.output.endswith(f"results/{CRATE_NAME}\n")
    graph = json.loads((tmp_path / "results" / CRATE_NAME).read_text())["@graph"]
    assert graph[1]["license"] == {"@id": licence}
    again = CliRunner().invoke(cli, ["crate", copy])
    assert isinstance(again.exception, UsageError)
    assert "add --replace" in str(again.exception)
    assert CliRunner().invoke(cli, ["crate", copy, "--replace"]).exit_code == 0


@pytest.mark.parametrize(
    ("name", "licence", "message"),
    [
        ("empty", "", "holds no folder that a stage wrote"),
        ("unfinished", "", "no stage finished in"),
        ("results", "mine", "--licence is 'mine'; give an address"),
    ],
)
def test_what_cannot_be_described_is_refused_in_one_line(tmp_path, name, licence, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished/tile/case-1").mkdir(parents=True)
    (tmp_path / "unfinished/tile/case-1/.lds-path").touch()
    with pytest.raises(UsageError, match=message):
        write_crate(tmp_path / name, licence=licence)
    assert not list(tmp_path.rglob(CRATE_NAME))
