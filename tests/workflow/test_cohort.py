"""A cohort with good and bad slides: the good ones are done, the bad ones named."""

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from snakemake_run import jobs_of, snakemake

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo

pytestmark = pytest.mark.slow

BAD = {
    "missing": ("nowhere.svs", "", "No such file"),
    "empty": ("empty.svs", "", "is empty"),
    "text": ("text.svs", "", "text.svs"),
    "zero": ("painted/slide.tif", "0", "mpp"),
    "negative": ("painted/slide.tif", "-0.5", "mpp"),
    "thousand": ("painted/slide.tif", "1000", "1000"),
}
REAL = {
    "CMU-1": ("CMU-1-Small-Region.svs", "", ""),
    "TCGA": ("tcga-cr-7395-01a-01-ts1.svs", "0.25", ""),
    "TCGA-without-mpp": ("tcga-cr-7395-01a-01-ts1.svs", "", "'mpp'"),
    "DAPI": ("test3-DAPI-2-(387).ndpi", "", "fluorescence"),
    "TRITC": ("test3-TRITC 2 (560).ndpi", "", "fluorescence"),
    "overview": ("multiframe_camelyon_challenge_image.dcm", "", "um per pixel"),
}


def run_cohort(folder: Path, slides: dict[str, tuple[str, str, str]]) -> str:
    rows = [f"{name}\t{path}\t{mpp}" for name, (path, mpp, _) in slides.items()]
    sheet = folder / "my slides.tsv"
    sheet.write_text("slide\tpath\tmpp\n" + "\n".join(rows) + "\n")
    run = snakemake(folder, "--config", f"slides={sheet}")
    assert run.returncode == 0, run.stderr + run.stdout
    assert "Traceback" not in run.stderr + run.stdout
    assert jobs_of(snakemake(folder, "-n", "--config", f"slides={sheet}")) == {}
    return run.stdout


def check_cohort(folder: Path, output: str, slides: dict[str, tuple[str, str, str]]) -> None:
    cohort = pd.read_csv(folder / "results/report/cohort.tsv", sep="\t", index_col="slide")
    page = (folder / "results/report/index.html").read_text()
    summary = output[output.index(f"{len(slides)} slides:") :]
    quarantined = summary.partition("\nquarantined:")[2].partition("\n\n")[0]
    for name, (_, _, reason) in slides.items():
        results = folder / "results"
        manifest = json.loads((results / "export" / name / "manifest.json").read_text())
        assert manifest["status"] == ("quarantined" if reason else "done"), manifest
        assert reason in manifest["reason"]
        named = re.search(rf" {re.escape(name)}( \(|,|$)", quarantined, re.MULTILINE)
        assert (named is not None) == bool(reason)
        assert f">{name}<" in page
        assert name in cohort.index
        if not reason:
            assert (results / "stitch" / name / f"{name}.labels.ome.tif").stat().st_size > 0
            assert (results / "assess" / name / "overlay.jpg").stat().st_size > 0


def test_bad_slides_are_named_and_stop_nobody(tmp_path):
    demo(tmp_path / "painted", options=DemoOptions(seed=7, width=2500, height=2100))
    (tmp_path / "empty.svs").touch()
    (tmp_path / "text.svs").write_text("this is no slide")
    slides = {"good": ("painted/slide.tif", "", ""), **BAD}
    check_cohort(tmp_path, run_cohort(tmp_path, slides), slides)


def test_strict_fails_on_a_bad_slide(tmp_path):
    (tmp_path / "empty.svs").touch()
    (tmp_path / "slides.tsv").write_text("slide\tpath\na\tempty.svs\n")
    sheet = f"slides={tmp_path / 'slides.tsv'}"
    run = snakemake(tmp_path, "--config", sheet, "--retries", "0", change={"strict": True})
    assert run.returncode != 0
    assert "is empty" in run.stderr + run.stdout
    assert not (tmp_path / "results/tile/a").exists()


def test_the_real_slides_run_to_the_end(tmp_path, data):
    slides = {
        name: (os.path.relpath(data / "slides" / path, tmp_path), mpp, reason)
        for name, (path, mpp, reason) in REAL.items()
    }
    whole = (data / "slides/CMU-1-Small-Region.svs").read_bytes()
    (tmp_path / "cut.svs").write_bytes(whole[: len(whole) // 2])
    slides["truncated"] = ("cut.svs", "", "cut.svs")
    check_cohort(tmp_path, run_cohort(tmp_path, slides), slides)
