from pathlib import Path
from shlex import quote
import sys

import yaml

sys.path.insert(0, str(Path(workflow.basedir)))

from lds_path.errors import LdsPathError
from lds_path.formats.config import check_config
from lds_path.formats.sheet import read_sheet

PAINTED = {
    name: Path(workflow.basedir, f"workflow/sheets/{name}.tsv")
    for name in ("demo", "demo-training")
}
SHIPPED_MODELS = Path(workflow.basedir, "lds_path/models")


def load_slides():
    """Return the sheet of the run; a mistake in it or in the configuration ends the run."""
    schema = yaml.safe_load(
        Path(workflow.basedir, "workflow/schemas/config.schema.yaml").read_text()
    )
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
    """Return an input function for a file that the sheet names.

    A file that does not exist is left out, so that its slide is quarantined by name instead of
    stopping the cohort.
    """

    def find(wildcards):
        path = Path(slides.loc[wildcards.slide, column] or "/nowhere")
        if is_painted() and column in ("path", "labels"):
            return str(path.relative_to(Path.cwd()))
        return str(path) if path.is_file() else []

    return find


def get_option(option, column):
    """Return a params function for a command-line option that the sheet fills."""

    def fill(wildcards):
        cell = slides.loc[wildcards.slide, column]
        return "" if cell == "" or cell != cell else f"{option} {quote(str(cell))}"

    return fill


def get_model():
    """Return the folder of the model."""
    if config["model"] == "train":
        return "results/train"
    shipped = SHIPPED_MODELS / config["model"]
    folder = shipped if shipped.is_dir() else Path(config["model"])
    if not (folder / "model.json").is_file():
        known = ", ".join(sorted(path.parent.name for path in SHIPPED_MODELS.glob("*/model.json")))
        raise SystemExit(
            f"Error: config.yaml: model '{config['model']}' is neither shipped ({known}) nor a"
            " folder with a model.json; name one of these or `train`"
        )
    return str(folder)


def get_model_files(wildcards):
    return collect(
        "{model}/{file}", model=get_model(), file=["model.json", "weights.safetensors"]
    )


def get_class_options():
    """Return the classes as command-line options, in the order of their label values."""
    return " ".join(
        f"--class {quote(f'{name}={color}')}" for name, color in (config["classes"] or {}).items()
    )


def get_flag(option, key):
    """Return a command-line flag when its key is true."""
    return option if config[key] else ""


def get_optional(option, key):
    """Return a command-line option, or nothing where its key is null."""
    section, name = key.split("/")
    value = config[section][name]
    return "" if value is None else f"{option} {value}"


def get_labelled(*splits):
    """Return the ids of the slides with reference labels: of some splits, or all."""
    labelled = slides[slides["labels"] != ""]
    return list(labelled.index[labelled["split"].isin(splits)] if splits else labelled.index)


def print_summary():
    """Name the slides that were put aside and the files to open."""
    summary = Path("results/report/summary.txt")
    if summary.is_file():
        print(summary.read_text())


slides = load_slides()


wildcard_constraints:
    slide="[A-Za-z0-9][A-Za-z0-9._-]*",


scattergather:
    shards=1,
