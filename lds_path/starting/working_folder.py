"""A new folder to run the workflow in: the sheet, the configuration, the Snakefile and the profiles."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lds_path.errors import UsageError
from lds_path.models.card import find_model, name_model
from lds_path.starting.installed import SNAKEFILE, find_workflow

OWN = Path(__file__).parent / "files"
SHEET_NAME = "slides.tsv"
CONFIG_NAME = "config.yaml"
PROFILES = ("profiles/default/profile.yaml", "profiles/slurm/profile.yaml")


def make_working_folder(folder: Path, model: str) -> list[str]:
    """Write a folder in which `snakemake` runs the workflow, and return its files.

    An existing folder gets the files, too, but none is overwritten.

    Parameters
    ----------
    folder
        Where to write them.
    model
        Id of a shipped model, or a model folder.

    Raises
    ------
    ModelError
        If there is no such model.
    UsageError
        If one of the files exists, or the folder cannot be written.
    """
    workflow = find_workflow()
    name = name_model(str(find_model(model).absolute()))
    config = (workflow / CONFIG_NAME).read_text(encoding="utf-8")
    texts = {each: (OWN / each).read_text(encoding="utf-8") for each in (SHEET_NAME, SNAKEFILE)}
    texts[CONFIG_NAME] = configure(config, slides=SHEET_NAME, model=name, classes=None)
    texts |= {each: (workflow / each).read_text(encoding="utf-8") for each in PROFILES}
    _write_new(folder, texts)
    return list(texts)


def configure(text: str, **values: str | None) -> str:
    """Return a configuration, with its comments, with other values of some keys at its top level."""
    for key, value in values.items():
        line = yaml.safe_dump({key: value}, allow_unicode=True, width=10_000)
        old = re.compile(rf"^{key}:.*\n(?:[ \t].*\n)*", re.MULTILINE).search(text)
        assert old, f"config.yaml has no key '{key}'"
        text = text[: old.start()] + line + text[old.end() :]
    return text


def _write_new(folder: Path, texts: dict[str, str]) -> None:
    """Write files that do not exist yet: all of them, or none."""
    made: list[Path] = []
    for name in texts:
        if (folder / name).exists():
            raise _already_there(folder / name)
    try:
        for name, text in texts.items():
            for each in reversed((folder / name).parents):
                if not each.exists():
                    each.mkdir()
                    made.append(each)
            with (folder / name).open("x", encoding="utf-8") as file:
                made.append(folder / name)
                file.write(text)
    except OSError as error:
        _remove(made)
        raise UsageError(
            f"{folder} cannot be written ({error.strerror}); name another folder"
        ) from None


def _already_there(path: Path) -> UsageError:
    return UsageError(f"{path} is already there, and nothing is overwritten; name another folder")


def _remove(made: list[Path]) -> None:
    for path in reversed(made):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
