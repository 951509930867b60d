"""The documents against the tree: the files and folders that they point to exist."""

import re
import subprocess
from pathlib import Path

import yaml
from page_blocks import blocks_of
from snakemake_run import REPOSITORY

from lds_path.run.config import check_config
from lds_path.run.sheet import read_sheet

PACKAGE = REPOSITORY / "lds_path"


def section_of(page: str, heading: str) -> str:
    """Return the text of a page from a heading to the next one."""
    return (REPOSITORY / page).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]


def test_the_design_points_to_modules_that_exist():
    section = section_of("docs/design.md", "Where to look")
    modules = re.findall(r"`((?!lds_path/|tests/)(?:\w+/)+\w+\.py)`", section)
    assert {"slides", "pixels", "network", "formats", "objects", "provenance"} <= {
        module.split("/")[0] for module in modules
    }
    assert [module for module in modules if not (PACKAGE / module).is_file()] == []


def test_the_map_has_every_folder_and_module_at_the_top_of_the_package():
    found = {path.parent.name + "/" for path in PACKAGE.glob("*/__init__.py")}
    found |= {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    named = set(re.findall(r"`(\w+/|\w+\.py)`", section_of("docs/design.md", "The map")))
    assert named - {"lds_path/"} == found


def test_the_loop_of_the_training_page_writes_a_sheet_of_a_folder_of_exports(tmp_path):
    for name in ("a 1", "b"):
        for path in (tmp_path / f"exports/{name}.geojson", tmp_path / f"scans/{name}.svs"):
            path.parent.mkdir(exist_ok=True)
            path.touch()
    script = next(text for text in blocks_of("docs/train.md", "sh") if "printf" in text)
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True)
    sheet = tmp_path / "slides.tsv"
    sheet.write_text(sheet.read_text().replace("a 1\t", "a-1\t", 1))
    rows = read_sheet(sheet)
    assert rows["split"].tolist() == ["train", "train"]
    assert all(Path(path).is_file() for path in (*rows["path"], *rows["labels"]))


def test_the_training_page_s_configuration_is_accepted():
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    schema = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
    first, again = map(yaml.safe_load, blocks_of("docs/train.md", "yaml"))
    for changes in (first, again):
        for key, value in changes.items():
            config[key] = config[key] | value if isinstance(value, dict) else value
        check_config(config, schema)
