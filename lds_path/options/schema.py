"""The schema of config.yaml, which follows from the options of the stages.

`make schema` writes it to workflow/schemas/config.schema.yaml.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lds_path.option import describe
from lds_path.options.labels import ExportOptions, PlanOptions, SegmentOptions, StitchOptions
from lds_path.options.model import TrainOptions
from lds_path.options.quality import AssessOptions, EvaluateOptions, ReportOptions
from lds_path.options.reference import LabelsOptions
from lds_path.options.slides import DetectOptions, ScreenOptions, TileOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lds_path.option import About, Description, Kind, Options

SECTIONS: Mapping[str, Options] = {
    "tile": TileOptions(),
    "screen": ScreenOptions(),
    "detect": DetectOptions(),
    "plan": PlanOptions(),
    "segment": SegmentOptions(),
    "stitch": StitchOptions(),
    "export": ExportOptions(),
    "assess": AssessOptions(),
    "labels": LabelsOptions(),
    "evaluate": EvaluateOptions(),
    "report": ReportOptions(),
    "train": TrainOptions(),
}
"""Sections of config.yaml and their options, without those that have a section of their own."""
CLASS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "color"],
    "properties": {
        "name": {
            "type": "string",
            "description": "a name without : * =",
            "pattern": r"^[^:*=\s]([^:*=\t\n]*[^:*=\s])?$",
        },
        "color": {
            "type": "string",
            "description": 'a colour such as "#D55E00"',
            "pattern": "^#[0-9A-Fa-f]{6}$",
        },
    },
}
KEYS: Mapping[str, Any] = {
    "slides": {
        "type": "string",
        "description": "the path of the sample sheet, `demo` or `demo-training`",
    },
    "model": {
        "type": "string",
        "description": "the id of a shipped model, the path of a model folder, or `train`",
    },
    "classes": {
        "type": ["array", "null"],
        "description": "names and colours of the classes, in the order of their label values",
        "minItems": 1,
        "maxItems": 254,
        "items": CLASS,
    },
    "strict": {
        "type": "boolean",
        "description": "whether a slide that cannot be analysed fails the run",
    },
    "container": {
        "type": ["string", "null"],
        "description": "an image or a .sif file for the jobs, without spaces",
        "pattern": r"^\S+$",
    },
}
"""Keys that are not options of a stage."""
TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}


def build_schema() -> dict[str, Any]:
    """Return the schema of config.yaml."""
    properties = dict(KEYS)
    for section in SECTIONS:
        properties[section] = _object(
            {option.name: _key(option) for option in describe_section(section)}
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Configuration of the workflow; config.yaml explains each key.",
        **_object(properties),
    }


def describe_section(section: str) -> list[Description]:
    """Return the options that are keys of a section."""
    shared = (
        set() if section == "labels" else {option.name for option in describe(SECTIONS["labels"])}
    )
    return [
        option
        for option in describe(SECTIONS[section])
        if option.about.scope == "config" and option.name not in shared
    ]


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": dict(properties),
    }


def _key(option: Description) -> dict[str, Any]:
    about, kind = option.about, option.kind
    renamed = {"formerly": about.old_name} if about.old_name else {}
    if about.schema is not None:
        return {**about.schema, "description": about.text, **renamed}
    # A key that is null is not passed to the command, which then takes the default.
    nullable = about.from_model or (kind.nullable and option.default is None)
    if kind.form == "list":
        shortest = {"minItems": about.min_items} if about.min_items else {}
        key = {"type": "array", "items": _value(kind, about, nullable=False), **shortest}
    else:
        key = _value(kind, about, nullable=nullable)
    return {**key, "description": about.text, **renamed}


def _value(kind: Kind, about: About, *, nullable: bool) -> dict[str, Any]:
    if about.choices:
        return {"enum": [*about.choices, *([None] if nullable else [])]}
    word = TYPES[kind.item]
    bounds = {
        "minimum": about.minimum,
        "exclusiveMinimum": about.above,
        "maximum": about.maximum,
    }
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    return {"type": [word, "null"] if nullable else word, **known}


HEAD = "# Written by `make schema` from lds_path/options; change the options there.\n"


def schema_text() -> str:
    """Return the file."""
    content = yaml.safe_dump(build_schema(), sort_keys=False, width=100, allow_unicode=True)
    return HEAD + content


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
