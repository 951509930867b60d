"""What reference labels mean, for train and evaluate: section `labels` of config.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from lds_path.classes import IGNORED_CLASSES
from lds_path.option import Options, option


@dataclass(frozen=True)
class LabelsOptions(Options):
    """See `reference.legend.Legend`."""

    class_map: dict[str, str] = option(
        {},
        "annotation class -> class of `classes`, or null to leave its objects out",
        schema={"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    )
    """The key may also be a value of a label image, as text; the class "" leaves objects out."""
    ignore: tuple[str, ...] = option(
        IGNORED_CLASSES, "annotation classes that are neither used for training nor scored"
    )
    unlabelled: str = option(
        "background",
        "`background`, `ignore` or a class: the annotated area that no object covers",
        schema={"type": "string", "minLength": 1},
    )
