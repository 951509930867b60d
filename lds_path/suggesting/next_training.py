"""The sheet and the configuration of the training that follows on suggested areas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from lds_path.run.sheet import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from lds_path.suggesting.cohort import Candidate, Cohort, Row
    from lds_path.suggesting.suggestion import Suggestion

SHEET_NAME = "slides.tsv"
CONFIG_NAME = "train.yaml"
HEAD = "# Written by `lds-path suggest`: keys of config.yaml for the training on the corrected areas.\n"


def name_rows(cohort: Cohort, chosen: Collection[int]) -> dict[int, str]:
    """Return candidate, by number -> id of its areas in the next sheet.

    It is that of the slide, with a number if the sheet has other areas of it with labels.
    """
    taken = {row["slide"].lower() for row in cohort.rows}
    names = {}
    for number in sorted(chosen):
        candidate = cohort.candidates[number]
        name, again = candidate.record.slide, 2
        while candidate.taken and name.lower() in taken:
            name, again = f"{candidate.record.slide}-{again}", again + 1
        taken.add(name.lower())
        names[number] = name
    return names


def name_areas(names: Collection[str]) -> dict[str, str]:
    """Return id of a slide with areas -> the file of its areas alone.

    It is `<id>.areas.geojson`, with a number where that is the file of the objects of another slide.
    """
    taken = {f"{name}.geojson".lower() for name in names}
    files = {}
    for name in names:
        file, again = f"{name}.areas.geojson", 2
        while file.lower() in taken:
            file, again = f"{name}.areas-{again}.geojson", again + 1
        taken.add(file.lower())
        files[name] = file
    return files


def write_sheet(folder: Path, cohort: Cohort, suggested: Mapping[str, Candidate]) -> None:
    """Write the sheet: the rows that were there, and those of the slides with areas.

    Parameters
    ----------
    folder
        Where to write it, beside the files of the areas.
    cohort
        Rows of the sheet.
    suggested
        Id of a slide with areas -> the slide.
    """
    rows = {row["slide"]: row for row in cohort.rows}
    files = name_areas(suggested)
    for name, candidate in suggested.items():
        areas = {"labels": f"{name}.geojson", "roi": files[name], "split": "train"}
        rows[name] = candidate.row | {"slide": name} | areas
    filled = {column for row in rows.values() for column, cell in row.items() if cell}
    own = [column for column in next(iter(rows.values())) if column not in COLUMNS]
    columns = [column for column in (*COLUMNS, *own) if column in filled or column == "patient"]
    lines = ["\t".join(columns), *(_line(row, columns) for row in rows.values())]
    text = "\n".join(lines) + "\n"
    (folder / SHEET_NAME).write_text(text, encoding="utf-8", newline="\n")


def write_configuration(folder: Path, suggestion: Suggestion) -> None:
    """Write the keys of config.yaml that the training needs."""
    classes = [
        {"name": item.name, "color": "#{:02X}{:02X}{:02X}".format(*item.color)}
        for item in suggestion.cohort.classes
    ]
    content = {
        "slides": str(suggestion.output.absolute() / SHEET_NAME),
        "model": "train",
        "classes": classes,
        "train": {"start": suggestion.start},
    }
    text = HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8", newline="\n")


def _line(row: Row, columns: list[str]) -> str:
    return "\t".join(row.get(column, "").replace("\t", " ") for column in columns)
