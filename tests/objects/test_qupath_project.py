"""The project for QuPath is ready to open, and nothing that somebody did in it is lost."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from lds_path.classes import LabelClass
from lds_path.geometry import Size
from lds_path.objects.qupath.project import describe_project, write_project
from lds_path.objects.qupath.scripts import ScriptSlide
from lds_path.objects.qupath.stain import image_type

CLASSES = (LabelClass(1, "Stroma", (0, 158, 115)),)


def slide_of(path, slide="a", stain=""):
    return ScriptSlide(slide, Size(10, 10), 1.0, "bounds", CLASSES, path=str(path), stain=stain)


def path_of(uri):
    return Path(unquote(urlsplit(uri).path))


@pytest.fixture
def results(tmp_path):
    """Results with the objects of two slides."""
    root = tmp_path / "results"
    for slide in ("a", "b"):
        (root / "export" / slide).mkdir(parents=True)
        (root / "export" / slide / f"{slide}.geojson.gz").write_text(f"objects of {slide}")
    return root


def test_a_project_names_its_slides_as_qupath_does():
    (image,) = describe_project([slide_of("/scans/case ä%1.svs", stain="PAS")])["images"]
    assert image == {
        "serverBuilder": {
            "builderType": "uri",
            "uri": "file:///scans/case%20%C3%A4%251.svs",
            "args": [],
        },
        "entryID": 1,
        "imageName": "a",
        "metadata": {"stain": "PAS"},
    }


def test_a_slide_on_a_server_has_its_address_and_the_size_that_its_server_said():
    slides = [
        slide_of("s3://b/case 1/ä.svs"),
        slide_of("https://h/a%20b.svs"),
        slide_of("/scans/a.svs"),
    ]
    project = describe_project(slides)
    uris = [image["serverBuilder"]["uri"] for image in project["images"]]
    assert uris == ["s3://b/case%201/%C3%A4.svs", "https://h/a%20b.svs", "file:///scans/a.svs"]
    assert path_of(project["uri"]).parent == Path("/scans")
    assert "uri" not in describe_project(slides[:2])
    described = replace(slides[1], stated_bytes=7).describe()
    assert (described["file"], described["bytes"]) == ("a b.svs", 7)


def test_slides_beside_the_project_have_the_path_that_they_had_from_its_address():
    paths = ["/scans/1/slide.tif", "/scans/2/slide.tif"]
    project = describe_project([slide_of(path, path[7]) for path in paths])
    place = path_of(project["uri"]).parent
    images = [path_of(image["serverBuilder"]["uri"]) for image in project["images"]]
    assert [str(image.relative_to(place)) for image in images] == ["1/slide.tif", "2/slide.tif"]


def test_a_project_brings_its_objects_scripts_and_classes(results):
    write_project(results / "qupath", [slide_of("/scans/a.svs")])
    home = results / "qupath"
    assert (home / "objects" / "a.geojson.gz").read_text() == "objects of a"
    assert {path.name for path in (home / "scripts").iterdir()} == {
        f"{name}.groovy" for name in ("make_project", "show_overlay", "show_map", "import_objects")
    }
    classes = json.loads((home / "classifiers" / "classes.json").read_text())
    assert [item["name"] for item in classes["pathClasses"]] == ["Stroma"]
    assert "@" not in (home / "scripts" / "make_project.groovy").read_text()


def test_a_project_that_somebody_opened_keeps_its_slides_and_gets_new_objects(results):
    home = results / "qupath"
    write_project(home, [slide_of("/scans/a.svs")])
    for name in ("project.qpproj", "classifiers/classes.json"):
        (home / name).write_text("changed in QuPath")
    (home / "data" / "1").mkdir(parents=True)
    (home / "data" / "1" / "data.qpdata").write_text("annotations")
    write_project(home, [slide_of("/scans/a.svs"), slide_of("/scans/b.svs", "b")])
    for name in ("project.qpproj", "classifiers/classes.json"):
        assert (home / name).read_text() == "changed in QuPath"
    assert (home / "data" / "1" / "data.qpdata").read_text() == "annotations"
    assert (home / "objects" / "b.geojson.gz").read_text() == "objects of b"
    assert "/scans/b.svs" in (home / "scripts" / "make_project.groovy").read_text()


def test_a_project_that_nobody_opened_follows_the_results(results):
    home = results / "qupath"
    write_project(home, [slide_of("/scans/a.svs")])
    write_project(home, [slide_of("/scans/a.svs"), slide_of("/scans/b.svs", "b")])
    images = json.loads((home / "project.qpproj").read_text())["images"]
    assert [image["imageName"] for image in images] == ["a", "b"]


@pytest.mark.parametrize(
    ("stain", "expected"),
    [
        ("", ""),
        ("H&E", "BRIGHTFIELD_H_E"),
        ("he", "BRIGHTFIELD_H_E"),
        ("Haematoxylin and Eosin", "BRIGHTFIELD_H_E"),
        ("hematoxylin-eosin", "BRIGHTFIELD_H_E"),
        ("H-DAB", "BRIGHTFIELD_H_DAB"),
        ("IHC Ki-67", "BRIGHTFIELD_H_DAB"),
        ("PAS", "BRIGHTFIELD_OTHER"),
        ("HES", "BRIGHTFIELD_OTHER"),
        ("PAS-H&E", "BRIGHTFIELD_OTHER"),
    ],
)
def test_only_haematoxylin_and_eosin_is_taken_apart_as_such(stain, expected):
    assert image_type(stain) == expected
