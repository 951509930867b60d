"""How QuPath takes a slide apart into its stains, by the name of its staining."""

from __future__ import annotations

import re

_HE = re.compile(r"(ha?ematoxylin|h)\W*(and|&|\+)?\W*(eosin|e)")
_DAB = re.compile(r"\b(dab|ihc)\b|immunohistochem")


def image_type(stain: str) -> str:
    """Return the type of QuPath's images for a stain: H&E and DAB have stain vectors of their own.

    Empty if no stain is stated, so that QuPath asks instead of taking a PAS slide apart as H&E.
    """
    name = stain.strip().lower()
    if not name:
        return ""
    if _HE.fullmatch(name):
        return "BRIGHTFIELD_H_E"
    return "BRIGHTFIELD_H_DAB" if _DAB.search(name) else "BRIGHTFIELD_OTHER"
