"""The documents against the tree: the files and folders that they point to exist."""

import re

from snakemake_run import REPOSITORY

PACKAGE = REPOSITORY / "lds_path"


def section_of(page: str, heading: str) -> str:
    """Return the text of a page from a heading to the next one."""
    return (REPOSITORY / page).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]


def test_the_readme_points_to_modules_that_exist():
    section = section_of("README.md", "Reading the code")
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
