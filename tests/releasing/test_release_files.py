"""What a release states of itself agrees: version, citation, licences."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import lds_path
from lds_path.models.card import read_card

REPOSITORY = Path(__file__).parent.parent.parent
PACKAGE = Path(lds_path.__file__).parent
NOTICE = (REPOSITORY / "NOTICE").read_text(encoding="utf-8")
MODELS = sorted(path.parent.name for path in PACKAGE.glob("models/*/model.json"))
FULL_NAMES = {"Apache-2.0": "Apache License 2.0"}
"""Names of licences in model cards -> in NOTICE, where they differ."""


def test_the_version_is_written_once_in_the_package():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "lds_path/__init__.py"


def test_the_citation_has_the_version_and_the_article_of_the_method():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == lds_path.__version__
    article = citation["preferred-citation"]
    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    assert article["title"] in readme
    assert all(author["family-names"] in readme for author in article["authors"])


def test_the_changelog_ends_with_what_is_not_released_or_with_this_version():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    dated = [
        re.fullmatch(r"\[([0-9.]+)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}", each) for each in headings[1:]
    ]
    assert all(dated)
    released = [each[1] for each in dated] or ["0.1.0"]  # which is to be the first
    assert lds_path.__version__ == released[0]
    kinds = set(re.findall(r"^### (.*)$", changelog, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_wheels_in_the_documentation_have_this_version():
    for path in (REPOSITORY / "README.md", *REPOSITORY.glob("docs/**/*.md")):
        named = re.findall(r"lds_path-([0-9][0-9.]*)-py3", path.read_text(encoding="utf-8"))
        assert set(named) <= {lds_path.__version__}, path


@pytest.mark.parametrize("model", MODELS)
def test_the_notice_has_the_licence_of_every_model(model):
    entry = re.search(rf"^- {model}, (.*?):", NOTICE, re.MULTILINE)
    licence = read_card(PACKAGE / "models" / model).licence
    assert entry[1] == FULL_NAMES.get(licence, licence)


def test_the_notice_names_all_weights():
    weights = [path.relative_to(PACKAGE / "models") for path in PACKAGE.rglob("*.safetensors")]
    assert len(weights) > len(MODELS)
    for path in weights:
        assert path.parent.name in MODELS or f"- {path.as_posix()}, " in NOTICE


def test_the_notice_names_all_files_of_others():
    folders = (PACKAGE, REPOSITORY / "docs")
    files = [path for folder in folders for path in folder.rglob("*")]
    shipped = [path for path in files if path.suffix in {".css", ".js", ".txt"}]
    others = {path.name for path in shipped if is_of_others(path)}
    assert others >= {"openseadragon.min.js", "openseadragon-LICENSE.txt", "LICENSE.txt"}
    assert [name for name in others if name not in NOTICE] == []


def is_of_others(path):
    """Return whether a file was not written here: it is packed, or somebody has a right in it."""
    text = path.read_text(encoding="utf-8", errors="replace").lower()
    return ".min." in path.name or "copyright" in text or "licen" in text


def test_what_contributors_are_told_of_is_there():
    linked = r"\]\((?!https?:)([^)#]+)"
    for name in ("CONTRIBUTING.md", "SECURITY.md", "docs/compatibility.md"):
        page = REPOSITORY / name
        text = page.read_text(encoding="utf-8")
        assert all((page.parent / path).exists() for path in re.findall(linked, text))
        places = re.findall(r"`((?:lds_path|tests|docs)/[\w./-]+)`", text)
        assert [path for path in places if not (REPOSITORY / path).exists()] == []
