"""The folder of a stage, and the parts of its manifest."""

from dataclasses import dataclass

import pytest

from lds_path.errors import MissingMppError, StageInputError
from lds_path.provenance.cohort import read_slide_record
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_folder import (
    StageParameters,
    StageResults,
    name_shards,
    open_folder,
    read_results,
)
from lds_path.provenance.stage_run import run_stage


@dataclass(frozen=True, kw_only=True)
class TileResults(StageResults):
    stage = "tile"

    mpp: float
    levels: int


@dataclass(frozen=True, kw_only=True)
class TileParameters(StageParameters):
    stage = "tile"

    mpp: float


def finish(path, results, *, stage="tile", **options):
    run_stage(stage, path, lambda *_: results, inputs={}, parameters={"mpp": 0.4}, **options)
    return path


def test_the_results_of_a_stage_are_read_as_they_were_returned(tmp_path):
    results = TileResults(mpp=0.5, levels=3)
    assert read_results(finish(tmp_path / "a", results), TileResults) == results


def test_results_and_parameters_of_one_name_are_not_mixed_up(tmp_path):
    folder = open_folder(finish(tmp_path / "a", TileResults(mpp=0.5, levels=3)))
    assert folder.read(TileResults).mpp == 0.5
    assert folder.read(TileParameters).mpp == 0.4


@pytest.mark.parametrize(
    ("results", "finding"),
    [
        ({"mpp": 0.5}, "it lacks 'levels', expected a whole number"),
        ({"mpp": "fine", "levels": 3}, "'mpp' is 'fine', expected a number"),
    ],
)
def test_a_manifest_that_does_not_fit_is_named_with_the_remedy(tmp_path, results, finding):
    path = finish(tmp_path / "a", results)
    with pytest.raises(StageInputError) as error:
        read_results(path, TileResults)
    assert str(error.value) == f"{path / 'manifest.json'}, results: {finding}; run tile again"


def test_the_folder_of_another_stage_is_named(tmp_path):
    path = finish(tmp_path / "a", {}, stage="detect")
    with pytest.raises(StageInputError, match="written by the stage detect; name the folder of"):
        read_results(path, TileResults)


def test_the_results_of_a_quarantined_slide_are_not_there(tmp_path):
    def refuse(*_):
        raise MissingMppError("a.svs has no microns per pixel")

    run_stage("tile", tmp_path / "a", refuse, inputs={}, parameters={})
    with pytest.raises(StageInputError, match=r"is quarantined.*no microns per pixel"):
        read_results(tmp_path / "a", TileResults)


def test_a_stage_gets_the_manifests_of_its_inputs_and_shards_in_their_order(tmp_path):
    tile = finish(tmp_path / "tile", TileResults(mpp=0.5, levels=3), slide="s1")
    shards = [finish(tmp_path / f"{n}-of-12", {"n": n}, stage="segment") for n in range(1, 13)]
    seen = []

    def work(folder, inputs):
        seen.append((inputs.slide, inputs["tile"].read(TileResults).levels))
        seen.extend(shard.manifest.results["n"] for shard in inputs.shards("segment"))
        return {}

    inputs = {"tile": tile} | name_shards("segment", shards)
    run_stage("stitch", tmp_path / "out", work, inputs=inputs, parameters={})
    assert seen == [("s1", 3), *range(1, 13)]


def test_an_input_that_is_not_there_is_named_where_it_is_used(tmp_path):
    def work(_, inputs):
        return {"levels": inputs["tile"].read(TileResults).levels}

    inputs = {"tile": tmp_path / "none"}
    with pytest.raises(StageInputError, match=r"none has no manifest.json"):
        run_stage("detect", tmp_path / "out", work, inputs=inputs, parameters={})


def test_a_manifest_that_lacks_a_result_is_a_stage_that_did_not_finish_with_the_reason(tmp_path):
    path = finish(tmp_path / "tile" / "a", {"mpp": 0.5})
    record = read_slide_record(tmp_path, "a", parts=[TileResults])
    assert (record.status, record.stopped_by) == ("not finished", "tile")
    assert record.reason == (
        f"{path / 'manifest.json'}, results: it lacks 'levels', expected a whole number;"
        " run tile again"
    )
    assert record.read(TileResults) is None


def test_shards_of_an_earlier_run_are_not_part_of_a_slide(tmp_path):
    """After `--set-scatter shards=2` the one shard of the run before still lies there."""

    def refuse(*_):
        raise MissingMppError("no microns per pixel")

    def work(*_):
        return {}

    places = [tmp_path / "segment/a" / name for name in ("1-of-1", "1-of-2", "2-of-2")]
    for place, call in zip(places, (refuse, work, work), strict=True):
        run_stage("segment", place, call, inputs={}, parameters={}, slide="a")
    assert read_slide_record(tmp_path, "a").status == "quarantined"
    inputs = name_shards("segment", places[1:])
    run_stage("stitch", tmp_path / "stitch/a", work, inputs=inputs, parameters={})
    record = read_slide_record(tmp_path, "a").stages["segment"]
    assert [folder.path for folder in record.folders] == places[1:]
    assert record.status == "done"


def test_the_same_results_are_in_the_manifest_that_is_returned_and_in_the_file(tmp_path):
    results = TileResults(mpp=0.5, levels=3)
    returned = run_stage("tile", tmp_path, lambda *_: results, inputs={}, parameters={})
    assert returned.results == read_manifest(tmp_path).results == {"mpp": 0.5, "levels": 3}


def test_a_store_that_lacks_a_file_is_damaged(tmp_path):
    def work(folder, _):
        for name in ("zarr.json", "0/c/0/0/0", "0/c/0/0/1"):
            (folder / "store" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "store" / name).touch()
        return {}

    run_stage("tile", tmp_path / "a", work, inputs={}, parameters={})
    assert open_folder(tmp_path / "a").store("store") == tmp_path / "a/store"
    (tmp_path / "a/store/0/c/0/0/1").unlink()
    with pytest.raises(StageInputError, match=r"1 of its 3 files are missing\); run tile again"):
        open_folder(tmp_path / "a").store("store")
