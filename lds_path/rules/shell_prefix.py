"""What comes before the shell command of a rule: which `lds-path` it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote

import lds_path
from lds_path.run.warm_start import client
from lds_path.run.warm_start.client import SERVER

_IN_CONDA = '[ -n "${CONDA_PREFIX:-}" ] && [ "$(command -v python)" = "$CONDA_PREFIX/bin/python" ]'
_RUN = (
    "import sys, importlib.util as util; sys.argv[0] = 'lds-path';"
    " spec = util.spec_from_file_location('lds_path', {file!r});"
    " sys.modules['lds_path'] = module = util.module_from_spec(spec);"
    " spec.loader.exec_module(module);"
    " from lds_path.cli import main; main()"
)
"""Runs an installed package, but no other package of its installation."""


def command_prefix(base: Path) -> str:
    """Return shell code that makes `lds-path` a command.

    A conda environment of a rule contains the dependencies of the package but not the package.
    There, `lds-path` is this package, run by the environment's Python, even where the environment in
    which Snakemake runs has a program of that name. So it is where there is no program. In a run with a
    server (see `run.warm_start`) its client stands in for the program of Snakemake's environment, and for no other.

    Parameters
    ----------
    base
        Folder that contains `workflow`: a clone, whose package is then the one that runs, or a part
        of an installed package.
    """
    programs = quote(str(Path(sys.executable).parent))
    own = quote(str(Path(sys.executable).parent / "lds-path"))
    reach = f'export PATH="$PATH:"{programs}; '  # Snakemake may run without `activate`
    if (base / "lds_path").is_dir():
        reach += f"export PYTHONPATH={quote(str(base))}; "
        run = "-m lds_path.cli"
    else:
        run = f"-c {quote(_RUN.format(file=lds_path.__file__))}"
    warm = " ".join(map(quote, (sys.executable, "-IS", client.__file__)))
    return (
        "set -euo pipefail; "  # as Snakemake's own prefix, which this one replaces
        f'{reach}if [ -n "${{{SERVER}:-}}" ] && [ "$(command -v lds-path)" = {own} ];'
        f' then lds-path() {{ {warm} "$@"; }};'
        " elif ! command -v lds-path > /dev/null ||"
        f' {{ {_IN_CONDA} && [ ! -e "$CONDA_PREFIX/bin/lds-path" ]; }};'
        f' then lds-path() {{ python {run} "$@"; }}; fi; '
    )
