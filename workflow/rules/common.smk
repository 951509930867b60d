import json
import os
import sys
import time
from pathlib import Path
from shlex import quote

import yaml
from snakemake.utils import update_config

BASE = Path(workflow.basedir)
sys.path.insert(0, str(BASE))

from lds_path.errors import LdsPathError
from lds_path.run.config import check_config, read_strings
from lds_path.run.replaced_files import find_replacements
from lds_path.run.run_lock import RunLock
from lds_path.run.sheet import read_sheet
from lds_path.run.future_times import end_future
from lds_path.run.parent_watch import VARIABLE

PAINTED = {
    name: BASE / f"workflow/sheets/{name}.tsv" for name in ("demo", "demo-training")
}
SHIPPED_MODELS = BASE / "lds_path/models"


def load_slides():
    """Return the sheet of the run; a mistake in it or in the configuration ends the run."""
    schema = yaml.safe_load((BASE / "workflow/schemas/config.schema.yaml").read_text())
    update_config(config, read_strings(workflow.config_settings.config, schema))
    try:
        check_config(config, schema)
        return read_sheet(get_sheet(), base=get_base())
    except LdsPathError as error:
        raise SystemExit(f"Error: {error}") from None


def is_painted():
    """Whether the run paints its own slides."""
    return config["slides"] in PAINTED


def get_sheet():
    return PAINTED[config["slides"]] if is_painted() else Path(config["slides"])


def get_base():
    """Return the folder that relative paths in the sheet start from."""
    return Path("results/demo") if is_painted() else get_sheet().resolve().parent


def get_file(column):
    """Return an input function for a file that the sheet names."""
    return lambda wildcards: find_file(wildcards.slide, column)


def find_file(slide, column):
    """Return a file that the sheet names.

    A file that does not exist is left out of a rule's input, so that its slide is quarantined by
    name instead of stopping the cohort. So is one with {} or <> in its path, which Snakemake would take
    for a wildcard or a variable; the command reads it all the same.
    """
    cell = slides.loc[slide, column]
    if cell and is_painted():
        return f"results/demo/{slide}/{Path(cell).name}"
    named = cell and not set(cell) & set("{}<>") and Path(cell).is_file()
    return ancient(cell) if named else []


def note_files():
    """Return file of the sheet -> hash by which it replaced another one, noted for all jobs.

    Times are not asked: clocks differ, and a copy may keep the time of its original.
    """
    files = {}
    if workflow.is_main_process and not is_painted():
        files |= {
            cell: None
            for column in ("labels", "roi")
            for cell in slides[column]
            if cell
        }
        files |= {
            slides.loc[each, "path"]: Path("results/tile", each)
            for each in slides.index
        }
    return find_replacements(Path(".snakemake/lds-path-files.json"), files)


def get_replacement(*columns):
    """Return a params function that changes when files of the sheet are replaced by others."""
    return lambda wildcards: find_replacement(wildcards.slide, *columns)


def find_replacement(slide, *columns):
    """Return the hashes by which files of a slide replaced others."""
    found = [replacements.get(slides.loc[slide, column], "") for column in columns]
    return [each for each in found if each]


def get_training_replacements(wildcards):
    """Return the hashes by which files with labels and areas replaced others."""
    named = [
        find_replacement(each, "labels", "roi")
        for each in get_labelled("train", "tune")
    ]
    return [each for found in named for each in found]


def get_cell(column, option=""):
    """Return a params function for a command-line option that the sheet fills, where it does."""

    def fill(wildcards):
        cell = slides.loc[wildcards.slide, column]
        return "" if cell == "" or cell != cell else f"{option} {quote(str(cell))}"

    return fill


def get_options(*sections):
    """Return the keys of sections of the configuration as command-line options."""
    return " ".join(
        f"--{key.replace('_', '-')} {quote(str(item))}"
        for section in sections
        for key, value in config[section].items()
        for item in list_items(value)
    )


def list_items(value):
    """Return what an option is repeated for."""
    if isinstance(value, dict):
        return [
            f"{name}={'' if item is None else item}" for name, item in value.items()
        ]
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


def get_strict():
    return "--strict" if config["strict"] else ""


def get_class_options():
    """Return the classes as command-line options, in the order of their label values."""
    pairs = ["{name}={color}".format(**each) for each in config["classes"] or []]
    return " ".join(f"--class {quote(pair)}" for pair in pairs)


def get_model(wildcards):
    """Return the files of the model."""
    if config["model"] == "train":
        return "results/train"
    shipped = SHIPPED_MODELS / config["model"]
    folder = shipped if shipped.is_dir() else Path(config["model"])
    if not (folder / "model.json").is_file():
        known = ", ".join(
            sorted(path.parent.name for path in SHIPPED_MODELS.glob("*/model.json"))
        )
        raise SystemExit(
            f"Error: config.yaml: the model '{config['model']}' is neither shipped ({known}) nor a"
            " folder with a model.json; name one of these or `train`"
        )
    check_model_classes(folder)
    return str(folder)


def check_model_classes(folder):
    """End the run if the configuration names other classes than the model has."""
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        own = [str(each["name"]) for each in card["classes"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise SystemExit(
            f"Error: {folder}/model.json does not describe a model; copy the model again"
        ) from None
    named = [each["name"] for each in config["classes"] or own]
    if named != own:
        raise SystemExit(
            f"Error: config.yaml: `classes` are {', '.join(named)}, but the model"
            f" '{config['model']}' has {', '.join(own)}; set `classes` to these or to null"
        )


def get_labelled(*splits):
    """Return the ids of the slides with reference labels: of some splits, or all."""
    labelled = slides[slides["labels"] != ""]
    return list(
        labelled.index[labelled["split"].isin(splits)] if splits else labelled.index
    )


def get_training_labels(wildcards):
    """Return the files with the reference labels that a model learns from."""
    if not get_labelled("train"):
        raise SystemExit(
            f"Error: {get_sheet()} has no slide to train on; fill the column 'labels' and write"
            " train (and for some slides tune) into the column 'split'"
        )
    return [find_file(slide, "labels") for slide in get_labelled("train", "tune")]


def get_training_areas(wildcards):
    """Return the files with the annotated areas of the slides that a model learns from."""
    files = [find_file(slide, "roi") for slide in get_labelled("train", "tune")]
    return [file for file in files if file]


def growing(amount):
    """Return a resource that a job gets once more at each attempt: memory or minutes."""
    return lambda wildcards, attempt: attempt * amount


def print_summary():
    """Name the slides that were put aside and the files to open."""
    summary = Path("results/report/summary.txt")
    if summary.is_file():
        print(summary.read_text())


def lock_run():
    """Return the lock of this run, after what a killed run or a wrong clock left is mended."""
    lock = RunLock(Path(".snakemake"))
    if lock.freed:
        print(
            "The last run was killed and left a lock; it is removed.", file=sys.stderr
        )
    late = end_future(Path("results"), time.time())
    if late:
        print(
            f"{late} results are from the future, as if the clock was set back; they are now from"
            " this moment.",
            file=sys.stderr,
        )
    return lock


slides = load_slides()
try:
    run_lock = lock_run() if workflow.is_main_process else None
    replacements = note_files()
except OSError as error:
    raise SystemExit(
        f"Error: {Path.cwd()} cannot be written: {error.strerror}"
    ) from None
# The stages of a run that is killed end, too.
os.environ[VARIABLE] = str(os.getpid())

# Conda environments hold what the package needs, not the package: it is taken from here.
shell.prefix(
    f"export PYTHONPATH={quote(str(BASE))}; "
    'command -v lds-path > /dev/null || lds-path() {{ python -m lds_path.cli "$@"; }}; '
)


wildcard_constraints:
    slide="[A-Za-z0-9][A-Za-z0-9._-]*",


scattergather:
    shards=1,
