"""The manifest that every stage writes last: what was made, from what, how, and with what result.

A folder without a manifest is not finished. A quarantined slide has a manifest and nothing else,
and every later stage passes the reason on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lds_path import __version__
from lds_path.errors import StageInputError
from lds_path.provenance.complete_file import complete_file
from lds_path.provenance.fingerprint import MANIFEST_NAME

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = MANIFEST_NAME
STATUSES = ("done", "quarantined")
TEXTS = ("stage", "slide", "reason", "quarantined_by", "command", "device", "created")


@dataclass(frozen=True)
class Manifest:
    """The description of a folder by the stage that wrote it."""

    stage: str
    slide: str
    status: Literal["done", "quarantined"]
    reason: str = ""
    """Why the slide is quarantined, in one line; empty when it is done."""
    quarantined_by: str = ""
    """The stage that found the problem."""
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name -> path and sha256 of a file, or of the manifest of a folder; see `describe_input`."""
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name in the folder -> bytes and sha256 of what the stage wrote."""
    command: str = ""
    """The command line; empty if another program called the stage."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    """Results of the stage, for later stages and the report."""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    created: str = ""
    seconds: float = 0.0
    peak_memory_mib: float = 0.0

    @property
    def quarantined(self) -> bool:
        """Whether the slide is quarantined."""
        return self.status == "quarantined"


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a stage's folder.

    Raises
    ------
    StageInputError
        If the folder has no readable manifest: the stage did not finish there.
    """
    path = folder / FILE_NAME
    content: Any = {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**content)
        _check(manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise StageInputError(
            f"{folder} has no {FILE_NAME}: the stage that writes it did not finish; run it again"
        ) from None
    except (ValueError, TypeError, RecursionError, IsADirectoryError) as error:
        raise StageInputError(
            f"{path} is not a manifest ({error}); remove {folder} and run its stage again"
            + name_other_version(content.get("versions") if isinstance(content, dict) else None)
        ) from None
    return manifest


def name_other_version(versions: object) -> str:
    """Return an addition to an error if another version of this package wrote a manifest."""
    version = versions.get("lds-path") if isinstance(versions, Mapping) else None
    if version is None or version == __version__:
        return ""
    return f", or read it with lds-path {str(version)[:20]}, which wrote it; this is {__version__}"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that the file is either complete or absent."""
    text = json.dumps(content, indent=1, allow_nan=False)
    with complete_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _check(manifest: Manifest) -> None:
    """Raise ValueError or TypeError unless the fields are those that a stage writes."""
    if manifest.status not in STATUSES:
        raise ValueError(f"its status is {str(manifest.status)[:20]!r}")
    _check_scalars(manifest)
    for name in ("inputs", "outputs", "parameters", "results", "versions"):
        content = getattr(manifest, name)
        if not isinstance(content, dict):
            raise TypeError(f"its {name} are {str(content)[:20]!r}")
        hashed = content.values() if name in ("inputs", "outputs") else ()
        if not all(isinstance(entry, dict) and "sha256" in entry for entry in hashed):
            raise ValueError(f"its {name} have no sha256")


def _check_scalars(manifest: Manifest) -> None:
    for name in TEXTS:
        if not isinstance(getattr(manifest, name), str):
            raise TypeError(f"its {name} is {str(getattr(manifest, name))[:20]!r}")
    for name in ("seconds", "peak_memory_mib"):
        number = getattr(manifest, name)
        if not isinstance(number, int | float) or not 0 <= number < math.inf:
            raise TypeError(f"its {name} is {str(number)[:20]!r}")
