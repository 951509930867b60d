import os
import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.utils import update_config

BASE = Path(workflow.basedir)
sys.path.insert(0, str(BASE))

from lds_path.errors import exit_with_message
from lds_path.geometry import Region, Size
from lds_path.inference.budget import UNIFORM
from lds_path.models.card import find_model, model_files
from lds_path.models.chosen import ChosenModel, read_class_names
from lds_path.models.working import set_working
from lds_path.options.configuration import read_configuration
from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.provenance.fingerprint import COPIES
from lds_path.run.config import config_files, read_strings, rename_old_keys
from lds_path.run.parent_watch import VARIABLE
from lds_path.run.run_start import join_run, start_run
from lds_path.run.shell_options import format_cell, format_classes, format_options
from lds_path.run.shell_prefix import command_prefix
from lds_path.run.slide_files import check_name, is_input, open_sheet

RESULTS = Path("results")
STATE = Path(".snakemake")

with exit_with_message():
    schema = yaml.safe_load((BASE / "workflow/schemas/config.schema.yaml").read_text())
    given = workflow.config_settings.config
    files = config_files(workflow.configfiles, workflow.config_settings.configfiles)
    update_config(config, read_strings(given, schema))
    warnings = rename_old_keys(config, schema)
    read_configuration(config, schema, files=files, given=given)
    for key in ("slides", "model"):
        check_name(key, config[key])
    warnings += set_working(config, TileOptions(), DetectOptions())
    options = read_configuration(config, schema, files=files, given=given)
    names = read_class_names(config["classes"], config["model"])
    sides = options["detect"].region_size, options["detect"].lattice
    model = ChosenModel(
        config["model"],
        names,
        region=Region(0, 0, 0, *(Size(side, side) for side in sides)),
        has_budget=options["plan"].budget != UNIFORM,
        network=options["train"].for_classes(len(names) or 1).network,
        trained=RESULTS / "train",
    )
    slides = open_sheet(
        config["slides"], painted=BASE / "workflow/sheets", results=RESULTS
    )
    if workflow.is_main_process:
        started = start_run(STATE, RESULTS, slides.watched() | model.watched())
    else:
        started = join_run(STATE)
replaced = started.replacements
STRICT = "--strict" if config["strict"] else ""
for message in (*(warnings if workflow.is_main_process else ()), *started.messages):
    print(message, file=sys.stderr)
# Stages end with the run, even if it is killed.
os.environ[VARIABLE] = str(os.getpid())
# With a default storage, jobs work on copies.
copies = workflow.storage_settings
if copies.default_storage_provider:
    place = Path(copies.local_storage_prefix, copies.default_storage_provider)
    os.environ[COPIES] = str(place.absolute())

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


@cache
def check_labels():
    """End the run before its first job if its labels cannot teach what is asked for."""
    # It imports what reads annotations: not in the processes of jobs.
    from lds_path.reference.annotated_classes import check_training

    annotated = () if slides.painted else ("train", "tune")
    check_training(names, config["labels"], *map(slides.annotations, annotated))


@exit_with_message()
def get_training_labels(wildcards):
    """Return the reference labels that a model learns from."""
    labels = slides.training_labels()
    if workflow.is_main_process:
        check_labels()
    return list_inputs(labels)


@exit_with_message()
def get_model(wildcards):
    """Return the folder of the model that is trained in this run, or the files of another."""
    if model.is_trained:
        return str(model.folder)
    found = map(str, model_files(model.folder))
    return [ancient(file) for file in found if is_input(file)]


def get_model_folder(wildcards, input):
    """Return the folder of the model, or of its copy, as a command takes it."""
    if model.is_trained:
        return input.model
    return str(Path(input.model[0]).parent if input.model else model.folder)


def get_model_replacement(wildcards):
    """Return what changes when the files of the model are replaced."""
    return replaced.get(str(model.folder), "")


# Text of users is passed by functions: Snakemake takes braces in other strings for wildcards.
def get_options(*sections):
    """Return a params function for the options in sections of the configuration."""
    return lambda wildcards: format_options(*(config[name] for name in sections))


def get_classes(wildcards):
    """Return the classes as command-line options."""
    return format_classes(config["classes"])


@exit_with_message()
def get_screening_model(wildcards):
    """Return the files of the model that looks at overviews."""
    return [str(file) for file in model_files(find_model(config["screen"]["model"]))]


def screened_if(wanted):
    """Return the folder of the stage screen as an input, if it is wanted."""
    return "<results>/screen/{slide}" if wanted else []


def get_screened(wildcards, input):
    """Return the folder of the stage screen as an option, if it is an input."""
    return f"--screened {input.screen}" if input.screen else ""


def get_replacement(*columns):
    """Return a params function that changes when files of the sheet are replaced."""
    return lambda wildcards: slides.replacements([wildcards.slide], columns, replaced)


def get_path(column, name, option=""):
    """Return a params function for a file of the sheet: the input, or the cell if it is none.

    The input may be a copy on another disk.
    """
    return lambda wildcards, input: format_cell(
        (
            str(Path(input[name][0]).absolute())
            if input[name]
            else slides.cell(wildcards.slide, column)
        ),
        option,
    )


def get_cell(column, option=""):
    """Return a params function for a command-line option with a cell of the sheet, if filled."""
    return lambda wildcards: format_cell(slides.cell(wildcards.slide, column), option)


def growing(amount):
    """Return a resource, memory or minutes, that grows by this amount with each attempt."""
    return lambda wildcards, attempt: attempt * amount
