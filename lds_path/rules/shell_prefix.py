"""What comes before the shell command of a rule: which `lds-path` it runs."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IN_CONDA = '[ -n "${CONDA_PREFIX:-}" ] && [ "$(command -v python)" = "$CONDA_PREFIX/bin/python" ]'


def command_prefix(base: Path) -> str:
    """Return shell code that makes `lds-path` a command.

    A conda environment of a rule contains the dependencies of the package but not the package.
    There, `lds-path` is the package in `base`, run by the environment's Python, even where the
    environment in which Snakemake runs has a program of that name. So it is where there is none.
    """
    return (
        f"export PYTHONPATH={quote(str(base))}; "
        "if ! command -v lds-path > /dev/null ||"
        f' {{ {_IN_CONDA} && [ ! -e "$CONDA_PREFIX/bin/lds-path" ]; }};'
        ' then lds-path() { python -m lds_path.cli "$@"; }; fi; '
    )
