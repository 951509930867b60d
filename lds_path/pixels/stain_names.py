"""What the name of a staining, as people write it in a sheet, says of its stains."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["", "H&E", "PAS", "DAB", "other"]

_PATTERNS: dict[Kind, re.Pattern[str]] = {
    "H&E": re.compile(r"^(ha?ematoxylin|h)\W*(and|&|\+)?\W*(eosin|e)$"),
    "PAS": re.compile(r"^(pas|periodic\W*acid\W*schiff)(\W*(d|diastase|h|ha?ematoxylin))?$"),
    "DAB": re.compile(r"\b(dab|ihc)\b|immunohistochem"),
}
STAINS: dict[Kind, tuple[str, str]] = {
    "": ("hematoxylin", "eosin"),
    "H&E": ("hematoxylin", "eosin"),
    "PAS": ("hematoxylin", "PAS"),
    "DAB": ("hematoxylin", "DAB"),
}
"""The two stains of a kind, first that which absorbs more red; none of three stains or one."""


def kind_of(stain: str) -> Kind:
    """Return the kind of a staining; empty if none is stated, `other` if its stains are not known."""
    name = stain.strip().lower()
    if not name:
        return ""
    return next((kind for kind, known in _PATTERNS.items() if known.search(name)), "other")
