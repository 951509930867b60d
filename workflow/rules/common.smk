import os
import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.utils import update_config

BASE = Path(workflow.basedir)
sys.path.insert(0, str(BASE))

from lds_path.errors import UsageError, exit_with_message
from lds_path.geometry import Region, Size
from lds_path.inference.budget import UNIFORM
from lds_path.models.card import check_request, find_fitting_model
from lds_path.models.working import set_working
from lds_path.options.configuration import read_configuration
from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.reference.annotated_classes import check_training
from lds_path.run.config import read_strings, rename_old_keys
from lds_path.run.parent_watch import VARIABLE
from lds_path.run.run_start import join_run, start_run
from lds_path.run.shell_options import format_cell, format_classes, format_options
from lds_path.run.shell_prefix import command_prefix
from lds_path.run.slide_files import check_name, open_sheet

RESULTS = Path("results")
STATE = Path(".snakemake")
find_model = cache(find_fitting_model)


def config_files():
    """Return the files of the configuration; a later one takes precedence."""
    named = workflow.config_settings.configfiles
    return [*(Path(file) for file in workflow.configfiles if file not in named), *named]


with exit_with_message():
    schema = yaml.safe_load((BASE / "workflow/schemas/config.schema.yaml").read_text())
    update_config(config, read_strings(workflow.config_settings.config, schema))
    warnings = rename_old_keys(config, schema)
    given = workflow.config_settings.config
    read_configuration(config, schema, files=config_files(), given=given)
    warnings += set_working(config, TileOptions(), DetectOptions())
    sections = read_configuration(config, schema, files=config_files(), given=given)
    for key in ("slides", "model"):
        check_name(key, config[key])
    slides = open_sheet(
        config["slides"], painted=BASE / "workflow/sheets", results=RESULTS
    )
    if workflow.is_main_process:
        started = start_run(STATE, RESULTS, slides.watched())
    else:
        started = join_run(STATE)
replaced = started.replacements
STRICT = "--strict" if config["strict"] else ""
for message in (*(warnings if workflow.is_main_process else ()), *started.messages):
    print(message, file=sys.stderr)
# Stages end with the run, even if it is killed.
os.environ[VARIABLE] = str(os.getpid())

shell.prefix(command_prefix(BASE).replace("{", "{{").replace("}", "}}"))


pathvars:
    results=str(RESULTS),


wildcard_constraints:
    slide="[A-Za-z0-9][A-Za-z0-9._-]*",


scattergather:
    shards=1,


def list_inputs(files):
    """Return files of the sheet as input: hashes, not times, show whether they changed."""
    return files if slides.painted else [ancient(file) for file in files]


def get_file(column):
    """Return an input function for a file in a column of the sheet."""
    return lambda wildcards: list_inputs(slides.files([wildcards.slide], column))


@exit_with_message()
def get_training_labels(wildcards):
    """Return the reference labels that a model learns from, which can teach what is asked for."""
    files = slides.training_labels()
    if workflow.is_main_process:
        annotations = () if slides.painted else ("train", "tune")
        found = [slides.annotations(split) for split in annotations]
        check_training(get_class_names(), config["labels"], *found)
    return list_inputs(files)


@exit_with_message()
def get_model(wildcards):
    """Return the folder of the model, which can do what the configuration asks for."""
    detect, names = sections["detect"], get_class_names()
    sides = (Size(side, side) for side in (detect.region_size, detect.lattice))
    region = Region(0, 0, 0, *sides)
    has_budget = sections["plan"].budget != UNIFORM
    if config["model"] == "train":
        network = sections["train"].for_classes(len(names)).network
        check_request(network, "train", region, has_budget)
        return str(RESULTS / "train")
    folder = find_model(config["model"], names, region, has_budget)
    # By its relative path, a model that this run trained would be trained again on the sheet.
    is_own = folder.resolve() == (RESULTS / "train").resolve()
    return str(folder.resolve() if is_own else folder)


# Text of users is passed by functions: Snakemake takes braces in other strings for wildcards.
def get_options(*names):
    """Return a params function for the options in sections of the configuration."""
    return lambda wildcards: format_options(*(config[name] for name in names))


def get_classes(wildcards):
    """Return the classes as command-line options."""
    return format_classes(config["classes"])


def get_class_names():
    """Return the names of the classes, in the order of their label values; none for `null`."""
    if config["model"] == "train" and not config["classes"]:
        raise UsageError(
            "config.yaml: `classes` is null, but a model that is trained needs classes; list them"
        )
    return tuple(item["name"] for item in config["classes"] or [])


def get_replacement(*columns):
    """Return a params function that changes when files of the sheet are replaced."""
    return lambda wildcards: slides.replacements([wildcards.slide], columns, replaced)


def get_cell(column, option=""):
    """Return a params function for a command-line option with a cell of the sheet, if filled."""
    return lambda wildcards: format_cell(slides.cell(wildcards.slide, column), option)


def growing(amount):
    """Return a resource, memory or minutes, that grows by this amount with each attempt."""
    return lambda wildcards, attempt: attempt * amount
