"""What Snakemake would do, without doing it."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
import yaml
from ngff import write_image
from snakemake_run import REPOSITORY, jobs_of, snakemake

STAGES = ("tile", "detect", "segment", "stitch", "export", "assess")


def test_the_demo_paints_segments_and_scores_two_slides(tmp_path):
    jobs = jobs_of(snakemake(tmp_path, "-n"))
    assert {name: jobs[name] for name in STAGES} == dict.fromkeys(STAGES, 2)
    assert (jobs["demo"], jobs["evaluate"], jobs["report"], jobs["all"]) == (2, 2, 1, 1)
    assert "train" not in jobs


def test_a_model_can_be_trained_in_the_same_run(tmp_path):
    run = snakemake(tmp_path, "-n", "--config", "slides=demo-training", "model=train")
    jobs = jobs_of(run)
    assert jobs["train"] == 1
    assert jobs["segment"] == jobs["evaluate"] == 19


def test_shards_multiply_the_segment_jobs_alone(tmp_path):
    run = snakemake(tmp_path, "-n", "--set-scatter", "shards=3")
    jobs = jobs_of(run)
    assert (jobs["segment"], jobs["stitch"]) == (6, 2)


@pytest.mark.parametrize(
    ("change", "jobs"),
    [("detect={method: network}", 2), ("assess={screen: true}", 2), ("detect={overlap: 64}", 0)],
)
def test_a_slide_is_screened_only_if_its_screen_is_used(tmp_path, change, jobs):
    run = snakemake(tmp_path, "-n", "-p", "--config", change, "screen={model: demo}")
    assert run.returncode == 0, run.stderr
    assert jobs_of(run).get("screen", 0) == jobs
    assert run.stdout.count("--screened results/screen/") == jobs


def test_a_screening_model_that_is_missing_is_named(tmp_path):
    run = snakemake(tmp_path, "-n", "--config", "detect={method: network}", "screen={model: no}")
    assert run.returncode == 1
    assert "Error: the model 'no' does not exist" in run.stderr


def test_small_slides_can_share_a_cluster_job(tmp_path):
    """The command of docs/clusters.md, with two slides a job instead of twenty."""
    page = (REPOSITORY / "docs/clusters.md").read_text()
    options = re.search(r"(--groups .*) \\\n +(--group-components .*)", page).groups()
    arguments = " ".join(options).replace("=20", "=2").split()
    rows = "".join(f"s{number}\tx.svs\n" for number in range(4))
    (tmp_path / "slides.tsv").write_text("slide\tpath\n" + rows)
    sheet = f"slides={tmp_path / 'slides.tsv'}"
    run = snakemake(tmp_path, "-n", "--config", sheet, *arguments)
    jobs = jobs_of(run)
    groups = re.findall(r"Group job (\w+) ", run.stdout + run.stderr)
    assert sorted(groups) == ["after", "after", "before", "before"]
    assert (jobs["tile"], jobs["export"]) == (4, 4)


def test_a_missing_slide_does_not_stop_the_cohort(tmp_path):
    (tmp_path / "slides.tsv").write_text("slide\tpath\na\tnowhere.svs\n")
    sheet = f"slides={tmp_path / 'slides.tsv'}"
    jobs = jobs_of(snakemake(tmp_path, "-n", "--config", sheet))
    assert jobs["tile"] == 1


def plan_training(folder, *names, config=()):
    """Plan a training on a slide whose annotations have some classes."""
    (folder / "a.svs").touch()
    rows = ["slide\tpath\tlabels\tsplit", "a\ta.svs\ta.geojson\ttrain"]
    (folder / "slides.tsv").write_text("\n".join(rows) + "\n")
    square = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}
    features = [
        {"type": "Feature", "geometry": square, "properties": {"classification": {"name": name}}}
        for name in names
    ]
    if names:
        collection = {"type": "FeatureCollection", "features": features}
        (folder / "a.geojson").write_text(json.dumps(collection))
    sheet = f"slides={folder / 'slides.tsv'}"
    return snakemake(folder, "-n", "train", "--config", sheet, *config)


def test_a_zarr_store_is_an_input_and_scene_and_stain_reach_their_commands(tmp_path):
    store = write_image(tmp_path / "a.ome.zarr", [np.zeros((64, 64, 3), np.uint8)])
    rows = (
        "slide\tpath\tscene\tStain\ttissue_threshold\na\ta.ome.zarr\t1\tIHC, Ki-67\t\n"
        "b\ta.ome.zarr\tthe 'second' {one}\t\t0.01\n"
    )
    (tmp_path / "slides.tsv").write_text(rows)
    run = snakemake(tmp_path, "-n", "-p", "--config", f"slides={tmp_path / 'slides.tsv'}")
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(f"input: {store}\n") == 2
    found = [shlex.split(line) for line in run.stdout.splitlines() if "lds-path tile " in line]
    assert [line[line.index("tile") + 1] for line in found] == [str(store)] * 2
    scenes = {line[line.index("--scene") + 1] for line in found}
    assert scenes == {"1", "the 'second' {one}"}
    assert run.stdout.count("--stain 'IHC, Ki-67'") == run.stdout.count("--stain") == 2
    hinted = [line for line in run.stdout.splitlines() if "--tissue-threshold 0.01" in line]
    assert ["lds-path detect " in line for line in hinted] == [True]


def test_annotations_with_all_classes_start_a_training(tmp_path):
    run = plan_training(tmp_path, "Stroma", "Gland", "Tumor", "Lymphocytes")
    assert jobs_of(run)["train"] == 1


@pytest.mark.parametrize(
    ("names", "config", "message"),
    [
        ((), (), "a.geojson does not exist; correct its path"),
        (("Stroma", "gland"), (), "has an object of the class 'gland', but the classes are"),
        (("Stroma", "Gland", "Tumor"), (), "has the class 'Lymphocytes'"),
        (
            ("Stroma",),
            ('classes=[{"name": "Stroma", "color": "#56B4E9"}]',),
            "`classes` lists only Stroma",
        ),
    ],
)
def test_what_cannot_be_learned_ends_the_run_before_its_first_job(tmp_path, names, config, message):
    run = plan_training(tmp_path, *names, config=config)
    assert run.returncode != 0
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_a_model_of_this_folder_is_used_and_not_trained_again(tmp_path):
    (tmp_path / "results").mkdir()
    shutil.copytree(REPOSITORY / "lds_path/models/demo", tmp_path / "results/train")
    (tmp_path / "slides.tsv").write_text("slide\tpath\na\tnowhere.svs\n")
    sheet = f"slides={tmp_path / 'slides.tsv'}"
    jobs = jobs_of(snakemake(tmp_path, "-n", "--config", sheet, "model=results/train"))
    assert jobs["segment"] == 1
    assert "train" not in jobs


def test_the_command_line_changes_keys_of_every_type(tmp_path):
    changes = ["strict=true", "stitch={confidence: true, mpp: 1.5, zarr: 0.5}", "classes=null"]
    segmenting = snakemake(tmp_path, "-n", "-p", "--config", "classes=null")
    assert segmenting.returncode == 0, segmenting.stderr
    assert "--class " not in segmenting.stdout
    changes.remove("classes=null")
    changes += ["export={dsa: True}", "train={channels: [8, 16], max_zoom: 4}"]
    config = ["slides=demo-training", "model=train", *changes]
    run = snakemake(tmp_path, "-n", "-p", "--config", *config)
    assert run.returncode == 0, run.stderr
    assert "--mpp 1.5 --confidence True --density False --zarr 0.5" in run.stdout
    assert "--frame bounds --dsa True --parquet False --threads 1 --strict" in run.stdout
    assert "--channels 8 --channels 16 " in run.stdout
    assert "--max-zoom 4 " in run.stdout


@pytest.mark.parametrize(
    ("model", "options", "finest"),
    [
        ("glomeruli-pas", "--region-size 1024 --overlap 128 --lattice 128", 2),
        ("demo", "--region-size 2048 --overlap 256 --lattice 192", 2),
        ("train", "--region-size 2048 --overlap 256 --lattice 256", 1),
    ],
)
def test_regions_lattice_and_levels_are_those_of_the_model(tmp_path, model, options, finest):
    config = ["slides=demo-training", f"model={model}"]
    config += [] if model == "train" else ["classes=null"]
    run = snakemake(tmp_path, "-n", "-p", "--config", *config)
    assert run.returncode == 0, run.stderr
    tiled = (
        "--mpp 0.5 --levels needed --level-tolerance 0.45 --icc keep --max-unreadable-percent 20.0"
    )
    assert tiled in run.stdout
    assert run.stdout.count(f"--finest-level {finest} ") == jobs_of(run)["tile"]
    assert run.stdout.count(options) == jobs_of(run)["detect"]
    assert "config.yaml:" not in run.stderr


@pytest.mark.parametrize(
    ("level", "options"),
    [(0, "--finest-level 1 --texture-level 0 "), (1, "--finest-level 1 --threads ")],
)
def test_texture_is_stored_of_a_level_that_is_not(tmp_path, level, options):
    train = f"train={{texture: true, texture_level: {level}}}"
    run = snakemake(tmp_path, "-n", "-p", "--config", "model=train", "slides=demo-training", train)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(options) == jobs_of(run)["tile"]


def test_all_levels_are_stored_on_request(tmp_path):
    run = snakemake(tmp_path, "-n", "-p", "--config", "tile={levels: all}")
    assert run.stdout.count("--levels all ") == jobs_of(run)["tile"]
    assert "--finest-level" not in run.stdout


def test_an_overview_needs_neither_the_levels_of_the_samples_nor_texture(tmp_path):
    run = snakemake(
        tmp_path,
        "-n",
        "-p",
        "--config",
        "model=glomeruli-pas",
        "classes=null",
        "tile={levels: overview}",
    )
    assert run.stdout.count("--levels overview ") == jobs_of(run)["tile"]
    assert run.stdout.count("--finest-level 3 ") == jobs_of(run)["tile"]
    assert "--texture-level" not in run.stdout


def test_a_value_that_the_model_was_not_trained_with_is_a_warning_before_the_first_job(tmp_path):
    changes = ["tile={mpp: 1.0}", "detect={region_size: 1024, lattice: 128}"]
    run = snakemake(tmp_path, "-n", "-p", "--config", *changes)
    assert jobs_of(run)["segment"] == 2
    lines = [line for line in run.stderr.splitlines() if line.startswith("config.yaml:")]
    assert len(lines) == 2
    assert "tiled at 1 um per pixel, but the model 'demo' learned at 0.5; set `tile" in lines[0]
    assert "1024 pixels per side, but the model 'demo' learned from 2048" in lines[1]
    assert "--region-size 1024 --overlap 128 --lattice 128" in run.stdout


def test_jobs_on_scratch_disks_read_their_copies(tmp_path):
    """The settings of docs/clusters.md."""
    pytest.importorskip("snakemake_storage_plugin_fs")
    page = (REPOSITORY / "docs/clusters.md").read_text()
    settings = yaml.safe_load(re.search(r"```yaml\n(default-storage.*?)```", page, re.DOTALL)[1])
    copies = tmp_path / "scratch"
    settings["local-storage-prefix"] = str(copies)
    for name in ("a.mrxs", "labels.png", "roi.geojson", "a/Data0000.dat"):
        path = tmp_path / "slides" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    rows = "slide\tpath\tlabels\troi\na\ta.mrxs\tlabels.png\troi.geojson\n"
    (tmp_path / "slides/slides.tsv").write_text(rows)
    arguments = []
    for name, value in settings.items():
        values = value if isinstance(value, list) else [value]
        arguments += [f"--{name}", *values]
    sheet = f"slides={tmp_path}/slides/slides.tsv"
    run = snakemake(tmp_path, "-n", "-p", "--config", sheet, *arguments)
    assert run.returncode == 0, run.stderr
    commands = re.findall(r"lds-path (\w+) (.*)", run.stdout)
    for stage, command in commands:
        slides = re.findall(rf"\S*{tmp_path}/slides/\S+", command)
        assert all(path.startswith(f"{copies}/fs/") for path in slides)
        assert bool(slides) == (stage in {"tile", "detect", "evaluate", "report"})
    assert f"{copies}/fs{tmp_path}/slides/a/Data0000.dat" not in run.stdout  # copied beside
    assert f"{tmp_path}/slides/a/Data0000.dat" in run.stdout


@pytest.mark.parametrize(
    ("sheet", "config", "message"),
    [
        ("slide\tpath\na/b\tx.svs\n", [], "the slide id 'a/b' names files"),
        ("slide\tpath\na b\tx.svs\n", [], "the slide id 'a b' names files"),
        ("slide\tpath\na\tx.svs\na\ty.svs\n", [], "lists the slide id 'a' twice"),
        ("slide\tpath\na\tx.svs\n", ["colour=red"], "the key 'colour' is unknown"),
        (
            "slide\tpath\na\tx.svs\n",
            ["model=nothing"],
            "the model 'nothing' does not exist; give the id",
        ),
        ("slide\tpath\na\tx.svs\n", ["model=train"], "has no slide to train on"),
        ("slide\tpath\na\tx.svs\n", ["stitch={zarr: 0.6}"], "'stitch.zarr': '0.6' is not one of"),
        (
            "slide\tpath\na\tx.svs\n",
            ["detect={lattice: 160}"],
            "160, which is not on the ladder of the model 'demo', 64, 96, 128, 192 or 256; set",
        ),
        (
            "slide\tpath\na\tx.svs\n",
            ["detect={region_size: 2000}"],
            "`detect: region_size` is 2000, but the model 'demo' needs a multiple of 32; set it to",
        ),
        (
            "slide\tpath\na\tx.svs\n",
            ["stitch={mpp: 1000}"],
            "--config: 'stitch.mpp': 1000 is greater than the maximum of 64; expected more than 0",
        ),
        ("slide\tpath\na\tx.svs\n", ["model=models/{slide}"], "`model` is models/{slide}, but"),
        ("slide\tpath\na\tx.svs\n", ["detect={overlap: 2000}"], "'detect': overlap is 2000"),
        (
            "slide\tpath\na\tx.svs\n",
            ["detect={lattice: 100}"],
            "`detect: lattice` is 100, but the model 'demo' needs a multiple of 16; set it to null",
        ),
        (
            "slide\tpath\na\tx.svs\n",
            ["plan={budget: 64}", "model=glomeruli-pas", "classes=null"],
            "the model 'glomeruli-pas' has only one lattice and cannot distribute a budget",
        ),
        (
            "slide\tpath\na\tx.svs\n",
            ["plan={budget: 30s}", "segment={flips: true}"],
            "the budget 30s is measured for one model, without flips and with the usual precision, but `segment: flips`",
        ),
        (
            "slide\tpath\tlabels\tsplit\na\tx.svs\tx.geojson\ttrain\n",
            ["plan={budget: 64}", "model=train"],
            "the model 'train' has only one lattice and cannot distribute a budget",
        ),
        (
            "slide\tpath\tlabels\tsplit\na\tx.svs\tx.geojson\ttrain\n",
            ["classes=null", "model=train"],
            "`classes` is null, but a model that is trained needs classes",
        ),
        (
            "slide\tpath\na\tx.svs\n",
            ['classes=[{name: Fat, color: "#FF0000"}]'],
            "the classes [Stroma, Gland, Tumor, Lymphocytes], but config.yaml lists [Fat]; set",
        ),
    ],
)
def test_a_mistake_ends_the_run_with_one_line(tmp_path, sheet, config, message):
    path = tmp_path / "slides.tsv"
    path.write_text(sheet)
    run = snakemake(tmp_path, "-n", "--config", f"slides={path}", *config)
    assert run.returncode != 0
    lines = [line for line in run.stderr.splitlines() if "Error" in line]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in run.stderr


BRACES = "{slide} {1} {{y}} {input.tile} <results>"


def test_text_with_braces_reaches_the_commands_as_it_was_written(tmp_path):
    (tmp_path / "slides.tsv").write_text("slide\tpath\tlabels\tsplit\na\tx.svs\tx.json\ttrain\n")
    square = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]]}
    properties = {"classification": {"name": "Other"}}
    drawn = {"type": "Feature", "geometry": square, "properties": properties}
    (tmp_path / "x.json").write_text(json.dumps(drawn))
    change = {
        "slides": str(tmp_path / "slides.tsv"),
        "model": "train",
        "classes": [
            {"name": BRACES, "color": "#000000"},
            {"name": "Other", "color": "#ffffff"},
        ],
        "labels": {"ignore": [BRACES], "class_map": {BRACES: BRACES}, "unlabelled": BRACES},
        "train": {"description": BRACES},
    }
    run = snakemake(tmp_path, "-n", "-p", change=change)
    assert run.returncode == 0, run.stderr
    commands = [line for line in run.stdout.splitlines() if "lds-path" in line]
    (train,) = (line for line in commands if "lds-path train " in line)
    (evaluate,) = (line for line in commands if "lds-path evaluate " in line)
    (segment,) = (line for line in commands if "lds-path segment " in line)
    quoted = f"'{BRACES}'"
    assert f"--class '{BRACES}=#000000'" in train
    assert f"--class '{BRACES}=#000000'" in segment
    for command in (train, evaluate):
        for option in (f"ignore {quoted}", f"class-map '{BRACES}={BRACES}'"):
            assert f"--{option} " in command
        assert f"--unlabelled {quoted}" in command
    assert f"--description {quoted}" in train


def test_a_mistake_names_the_file_that_it_is_in(tmp_path):
    run = snakemake(tmp_path, "-n", change={"tile": {"mpp": float("inf")}})
    assert run.returncode == 1
    assert f"Error: {tmp_path}/change.yaml: 'tile.mpp': inf is not" in run.stderr
    assert "expected 0.05 to 50" in run.stderr
