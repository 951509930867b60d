"""From slides annotated in QuPath to a model, its scores and a segmented cohort."""

import json

import numpy as np
import pandas as pd
import pytest
import rasterio.features
import tifffile
import yaml
from snakemake_run import REPOSITORY, jobs_of, snakemake

from lds_path.models.checkpoint import load_model
from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo

pytestmark = pytest.mark.slow

NAMES = {2: "Drüse", 3: "Tumor: invasive", 4: "Lymphocytes"}
CHANGES = {
    "model": "train",
    "tile": {"mpp": 1.0},
    "detect": {"region_size": 512, "overlap": 64, "lattice": 64},
    "labels": {"class_map": {"Drüse": "Gland", "Tumor: invasive": "Tumor"}, "unlabelled": "Stroma"},
    "train": {
        "architecture": "UNet",
        "channels": [8, 16],
        "texture": False,
        "steps": 6,
        "tune_every": 2,
        "batch_size": 2,
        "data": "painted",
    },
}


def write_config(folder, name="slides.tsv", **changes):
    """Write a configuration and return the arguments that use it."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    for key, value in (CHANGES | changes | {"slides": str(folder / name)}).items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    return ["--configfile", str(path)]


def draw(folder):
    """Write the labels of a painted slide as QuPath would, without those of stroma and glass."""
    labels = tifffile.imread(folder / "labels.tif")
    drawn = np.isin(labels, list(NAMES))
    features = [
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": {
                "objectType": "annotation",
                "classification": {"name": NAMES[int(value)], "color": [1, 2, 3]},
            },
        }
        for geometry, value in rasterio.features.shapes(labels, mask=drawn)
    ]
    path = folder / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotated")
    rows = ["slide\tpath\tlabels\tsplit\tpatient"]
    for seed, split in enumerate(("train", "tune", "test"), start=1):
        demo(folder / f"s{seed}", options=DemoOptions(seed=seed, width=2400, height=2000))
        draw(folder / f"s{seed}")
        rows.append(f"s{seed}\ts{seed}/slide.tif\ts{seed}/drawn.geojson\t{split}\tP{seed}")
    (folder / "slides.tsv").write_text("\n".join(rows) + "\n")
    return folder


def test_annotated_slides_become_a_model_scores_and_a_cohort(folder):
    arguments = write_config(folder)
    run = snakemake(folder, *arguments)
    assert run.returncode == 0, run.stderr + run.stdout
    results = folder / "results"
    _, card = load_model(results / "train")
    assert card.training["train"]["slides"] == ["s1"]
    assert card.training["class_map"] == {"Drüse": "Gland", "Tumor: invasive": "Tumor"}
    assert min(card.training["train"]["labelled_mm2"].values()) > 0
    assert card.data == "painted"
    assert (results / "train" / "curve.png").is_file()
    assert "most of it" in (results / "train" / "index.html").read_text()
    for text in ((folder / "logs" / "train.log").read_text(), run.stderr + run.stdout):
        assert "train: done after 6 steps" in text
        assert "--config model=results/train slides=SHEET" in text
    assert len(pd.read_csv(results / "train" / "training.tsv", sep="\t")) == 6
    assert not (results / "train-state").exists()
    for slide in ("s1", "s2", "s3"):
        scores = pd.read_csv(results / "evaluate" / slide / "scores.tsv", sep="\t")
        assert scores["round_trip_dice"].min() > 0.8
        assert scores["reference_px"].min() > 0
        assert (results / "evaluate" / slide / "confusion.png").is_file()
    assert (results / "report" / "index.html").is_file()
    assert jobs_of(snakemake(folder, "-n", *arguments)) == {}


def test_a_patient_in_two_splits_ends_the_run_with_one_line(folder):
    sheet = folder / "leak.tsv"
    sheet.write_text((folder / "slides.tsv").read_text().replace("P3", "P1"))
    run = snakemake(folder, "-n", *write_config(folder, sheet.name))
    assert run.returncode != 0
    assert "the patient 'P1' is in the splits train (s1) and test (s3)" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_class_ends_the_training_with_one_line(folder):
    labels = {"class_map": {"Drüse": "Gland"}}
    arguments = [*write_config(folder, labels=labels), "--retries", "0", "train"]
    run = snakemake(folder, *arguments)
    assert run.returncode != 0
    output = run.stderr + run.stdout
    assert "drawn.geojson has an object of the class 'Tumor: invasive', but the classes" in output
    assert "Traceback" not in output
