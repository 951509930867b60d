"""The notebook of the docs, cell by cell in a process of its own, as Jupyter would run it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
from snakemake_run import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = REPOSITORY / "docs/cohort.ipynb"
RUN = """
import io, json, sys
import matplotlib
matplotlib.use("Agg")
cells, names = json.load(sys.stdin)
space = {"__name__": "__main__"}
for number, cell in enumerate(cells, start=1):
    exec(compile(cell, f"cell {number}", "exec"), space)
tables = {name: space[name].to_json(orient="split") for name in names}
json.dump(tables, open(sys.argv[1], "w"))
"""


def run_notebook(results: Path, folder: Path) -> dict[str, str]:
    """Run the cells on a results folder, in the folder of the notebook.

    Returns its tables by name, as the JSON that pandas writes; `folder` is for files.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    default = 'RESULTS = "../results"'
    assert default in cells[0]
    cells[0] = cells[0].replace(default, f"RESULTS = {str(results)!r}")
    names = ("areas", "borders", "doubts", "metrics")
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "tables.json")],
        input=json.dumps([cells, names]),
        capture_output=True,
        text=True,
        cwd=NOTEBOOK.parent,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    tables: dict[str, str] = json.loads((folder / "tables.json").read_text())
    return tables
