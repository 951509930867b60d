"""Where the workflow is: its Snakefile, configuration and profiles come with the package."""

from __future__ import annotations

from pathlib import Path

import lds_path
from lds_path.errors import UsageError

SNAKEFILE = "Snakefile"
FOLDER = "workflow_files"
"""Folder of the workflow in a wheel; pyproject.toml lists what is in it."""


def find_workflow() -> Path:
    """Return the folder with the Snakefile: in an installed package, or the clone.

    Raises
    ------
    UsageError
        If it is in neither.
    """
    package = Path(lds_path.__file__).resolve().parent
    for folder in (package / FOLDER, package.parent):
        if (folder / SNAKEFILE).is_file() and (folder / "workflow").is_dir():
            return folder
    raise UsageError(
        f"{package} lacks {FOLDER}/{SNAKEFILE}, as a wheel of lds-path has it; install lds-path again by pip"
    )
