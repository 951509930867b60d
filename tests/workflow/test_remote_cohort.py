"""The workflow on slides in a bucket, which Snakemake does not see: what it does again, and when."""

import os

from object_store import BUCKET, SECRET, object_store
from snakemake_run import jobs_of, snakemake

from lds_path.options.slides import DemoOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.stages.demo import demo

CHANGE = {"slides": "slides.tsv", "model": "demo"}
CHANGE["detect"] = {"region_size": 512, "overlap": 64, "lattice": 64, "min_tissue_um2": 1.0}
TARGETS = ("results/tile/one", "results/tile/two")


def test_a_slide_that_changes_or_comes_is_tiled_again_and_another_one_is_not(tmp_path):
    paths = []
    for seed in (3, 4):
        demo(tmp_path / f"{seed}", options=DemoOptions(seed=seed, width=640, height=512))
        paths.append(tmp_path / f"{seed}" / "slide.tif")
    sheet = tmp_path / "slides.tsv"
    sheet.write_text(
        f"slide\tpath\none\ts3://{BUCKET}/case 1/one.tif\ntwo\ts3://{BUCKET}/two.tif\n"
    )
    change = CHANGE | {"slides": str(sheet)}
    with object_store() as client:
        client.upload_file(str(paths[0]), BUCKET, "case 1/one.tif")
        assert jobs_of(snakemake(tmp_path, "--keep-going", *TARGETS, change=change))["tile"] == 2
        one, two = (read_manifest(tmp_path / target) for target in TARGETS)
        assert (one.status, two.status) == ("done", "quarantined")
        assert "there is no such object" in two.reason
        assert jobs_of(snakemake(tmp_path, "--keep-going", *TARGETS, change=change)) == {}

        client.upload_file(str(paths[1]), BUCKET, "two.tif")
        assert jobs_of(snakemake(tmp_path, "--keep-going", *TARGETS, change=change))["tile"] == 1
        assert read_manifest(tmp_path / TARGETS[1]).status == "done"
        assert read_manifest(tmp_path / TARGETS[0]).created == one.created

        client.upload_file(str(paths[1]), BUCKET, "case 1/one.tif")
        assert jobs_of(snakemake(tmp_path, "--keep-going", *TARGETS, change=change))["tile"] == 1
        changed = read_manifest(tmp_path / TARGETS[0])
        assert changed.inputs["slide"]["sha256"] != one.inputs["slide"]["sha256"]
        endpoint = os.environ["AWS_ENDPOINT_URL"]
    assert endpoint.startswith("http://127.0.0.1")
    # What is done stays done where the server cannot be reached.
    assert jobs_of(snakemake(tmp_path, "--keep-going", *TARGETS, change=change)) == {}
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in text for text in texts)


def test_a_password_in_the_sheet_stops_the_run_and_is_not_repeated(tmp_path):
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("slide\tpath\none\thttps://me:hunter2@host/one.svs\n")
    run = snakemake(tmp_path, "--keep-going", *TARGETS[:1], change=CHANGE | {"slides": str(sheet)})
    assert run.returncode != 0
    assert (
        "line 2: slide 'one': the address of https://host/one.svs holds a user name" in run.stderr
    )
    assert "hunter2" not in run.stdout + run.stderr
