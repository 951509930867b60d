"""What a run without Snakemake is asked for, checked before anything is written."""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lds_path.direct.slide_list import (
    SHEET_NAME,
    find_slides,
    is_sheet,
    list_slides,
    write_if_other,
)
from lds_path.errors import UsageError
from lds_path.models.card import find_model
from lds_path.options.configuration import default_configuration, read_configuration
from lds_path.options.schema import build_schema
from lds_path.rules.chosen_model import TRAIN
from lds_path.rules.setup import prepare_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lds_path.remote.address import SlidePath
    from lds_path.rules.setup import RunSetup

CONFIG_NAME = "config.yaml"
HEAD = "# Written by `lds-path run`; `snakemake --configfile` reads it.\n"


@dataclass(frozen=True)
class Request:
    """A run: its setup and the slides to work on."""

    setup: RunSetup
    slides: list[str]
    """Ids; the sheet may list others from earlier runs."""
    warnings: list[str]


def read_request(
    source: SlidePath,
    output: Path,
    *,
    model: str | None,
    mpp: float | None,
    given: Mapping[str, Any],
    config_file: Path | None = None,
) -> Request:
    """Return what a run is asked for, with its sheet and configuration in the folder.

    The sheet and the configuration are what `snakemake` takes to continue in the same folder.

    Parameters
    ----------
    source
        A slide or its address, a folder of slides, or a sample sheet.
    output
        Folder of all results.
    model
        Id of a shipped model, or a model folder; that of the configuration when None.
    mpp
        Microns per pixel of the slides; for a sheet None.
    given
        Keys of config.yaml that differ from their defaults.
    config_file
        Where they come from, if from a file.

    Raises
    ------
    LdsPathError
        If any of this cannot be used.
    """
    name = model or given.get("model")
    if not isinstance(name, str) or name == TRAIN:
        raise UsageError(
            "name a ready model by --model (`lds-path models` lists those that come with the package);"
            " `snakemake train` trains one"
        )
    find_model(name)
    if mpp is not None and not 0 < mpp < math.inf:
        raise UsageError(f"--mpp is {mpp:g}; give microns per pixel, such as 0.25")
    sheet, text, slides = _find_sheet(source, output, mpp)
    config = _merge(default_configuration(str(sheet), name), given)
    config |= {"slides": str(sheet), "model": name}
    asked, schema = copy.deepcopy(config), build_schema()
    files = [] if config_file is None else [config_file]
    read_configuration(config, schema, files=files)
    _make_folder(output)
    if text is not None:
        write_if_other(sheet, text)
    setup, warnings = prepare_run(
        config, schema, given={}, files=files, painted=output, results=output
    )
    setup.model.folder  # noqa: B018 - checks that the model fits
    write_if_other(output / CONFIG_NAME, HEAD + yaml.safe_dump(asked, sort_keys=False, width=100))
    return Request(setup, slides or setup.slides.ids, warnings)


def _find_sheet(
    source: SlidePath, output: Path, mpp: float | None
) -> tuple[Path, str | None, list[str]]:
    """Return the path of the sheet, its text if the run writes it, and the ids of the slides."""
    if isinstance(source, Path) and is_sheet(source):
        if mpp is not None:
            raise UsageError(f"--mpp is for slides; fill the column 'mpp' of {source}")
        return source.absolute(), None, []
    sheet = output.absolute() / SHEET_NAME
    text, slides = list_slides(find_slides(source), sheet, mpp)
    return sheet, text, slides


def read_keys(file: Path) -> dict[str, Any]:
    """Return the keys of config.yaml in a file.

    Raises
    ------
    UsageError
        If it is missing or cannot be read.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{file} does not exist; name a file with keys of config.yaml") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = " ".join(str(error).split())
        raise UsageError(f"{file} cannot be read as YAML ({found}); correct it") from None
    if not isinstance(content, dict | None):
        raise UsageError(f"{file} holds no keys; write keys of config.yaml into it, a line each")
    return content or {}


def _merge(config: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with other values, of sections key by key."""
    merged = dict(config)
    for key, value in changes.items():
        old = config.get(key)
        merged[key] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be made ({error.strerror}); name another folder by -o"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written; name another folder by -o")
