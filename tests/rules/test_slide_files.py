"""Which files of a sheet are a rule's input, and which slides are learned from."""

import sys
from pathlib import Path

import pytest
from ngff import pyramid, random_pixels, write_image

from lds_path.errors import UsageError
from lds_path.provenance.fingerprint import sha256
from lds_path.remote.address import parse_address
from lds_path.rules.slide_files import open_sheet
from lds_path.run.replaced_files import find_replacements
from lds_path.stages.tile import tile

HEADER = "slide\tpath\tlabels\troi\tsplit\n"
ODD_NAMES = ("x {slide}.svs", "<results>.svs", "a}.svs")


def open_rows(folder, *rows):
    (folder / "slides.tsv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    sheet = str(folder / "slides.tsv")
    return open_sheet(sheet, painted=folder / "none", results=folder / "results")


def test_files_that_exist_are_inputs_and_others_are_left_out(tmp_path):
    (tmp_path / "a.svs").touch()
    (tmp_path / "folder.svs").mkdir()
    slides = open_rows(tmp_path, "a\ta.svs", "b\tmissing.svs", "c\tfolder.svs")
    assert slides.ids == ["a", "b", "c"]
    assert slides.files(slides.ids, "path") == [str(tmp_path / "a.svs")]
    assert slides.files(slides.ids, "labels") == []


def test_a_slide_on_a_server_is_no_input_and_is_watched(tmp_path):
    slides = open_rows(tmp_path, "a\ts3://bucket/a.svs")
    assert slides.files(["a"], "path") == []
    assert slides.watched()["s3://bucket/a.svs"].path == parse_address("s3://bucket/a.svs")


def test_packages_that_a_slide_on_a_server_needs_are_named_before_anything_is_done(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "obstore", None)
    open_rows(tmp_path, "a\ta.svs")
    with pytest.raises(UsageError, match=r'are missing; pip install "lds-path\[cloud\]"'):
        open_rows(tmp_path, "a\ta.svs", "b\ts3://bucket/b.svs")


def test_a_zarr_store_is_one_input_whatever_it_holds(tmp_path):
    store = write_image(tmp_path / "a.ome.zarr", pyramid(random_pixels(200, 300), 1))
    slides = open_rows(tmp_path, "a\ta.ome.zarr")
    assert slides.files(["a"], "path") == [str(store)]
    assert slides.watched()[str(store)].files == (store,)


def test_a_chunk_that_was_replaced_is_a_replaced_slide(tmp_path):
    store = write_image(tmp_path / "a.zarr", pyramid(random_pixels(200, 300), 1))
    slides, record = open_rows(tmp_path, "a\ta.zarr"), tmp_path / "record.json"
    tile(store, tmp_path / "results" / "tile" / "a")
    assert find_replacements(record, slides.watched()) == {str(store): ""}
    (store / ".snakemake_timestamp").touch()
    assert find_replacements(record, slides.watched()) == {str(store): ""}
    chunk = store / "0" / "0" / "1" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes())  # other times, the same bytes
    assert find_replacements(record, slides.watched()) == {str(store): ""}
    chunk.write_bytes(chunk.read_bytes() + b" ")
    assert find_replacements(record, slides.watched()) == {str(store): sha256(store)}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_snakemake_would_expand_is_no_input(tmp_path, name):
    (tmp_path / name).touch()
    slides = open_rows(tmp_path, f"a\t{name}")
    assert slides.files(["a"], "path") == []
    assert slides.cell("a", "path") == str(tmp_path / name)


def test_painted_slides_are_inputs_before_they_are_painted(tmp_path):
    (tmp_path / "demo.tsv").write_text("slide\tpath\tlabels\nx-1\tx-1/slide.tif\tx-1/labels.tif\n")
    slides = open_sheet("demo", painted=tmp_path, results=Path("results"))
    assert slides.files(["x-1"], "path") == ["results/demo/x-1/slide.tif"]
    assert slides.files(["x-1"], "labels") == ["results/demo/x-1/labels.tif"]
    assert slides.files(["x-1"], "roi") == []
    assert slides.watched() == {}


def test_slides_with_labels_are_found_by_their_splits(tmp_path):
    rows = ["a\ta\tl\t\ttrain", "b\tb\tl\t\ttest", "c\tc\t\t\ttrain", "d\td\tl\t\ttune", "e\te\tl"]
    slides = open_rows(tmp_path, *rows)
    assert slides.labelled() == ["a", "b", "d", "e"]
    assert slides.labelled("test") == ["b"]
    assert slides.training == ["a", "d"]


def test_labels_that_are_learned_from_are_those_that_exist(tmp_path):
    (tmp_path / "a.png").touch()
    slides = open_rows(tmp_path, "a\ta\ta.png\t\ttrain", "b\tb\tmissing.png\t\ttune")
    assert slides.training_labels() == [str(tmp_path / "a.png")]


@pytest.mark.parametrize("row", ["a\ta\tl\t\ttune", "a\ta\t\t\ttrain", "a\ta\tl"])
def test_a_sheet_without_a_slide_to_learn_from_is_named(tmp_path, row):
    slides = open_rows(tmp_path, row)
    with pytest.raises(UsageError, match=r"slides\.tsv has no slide to train on; fill the column"):
        slides.training_labels()


def test_every_file_of_the_sheet_is_watched_and_the_stages_that_read_it(tmp_path):
    slides = open_rows(tmp_path, "a\ta.svs\tl\tr", "b\tb.svs\t\tr")
    results, watched = tmp_path / "results", slides.watched()
    assert {name: item.files for name, item in watched.items()} == {
        str(tmp_path / name): (tmp_path / name,) for name in ("a.svs", "l", "r", "b.svs")
    }
    assert watched[str(tmp_path / "a.svs")].read_by == ((results / "tile/a", "slide"),)
    assert watched[str(tmp_path / "l")].read_by == (
        (results / "evaluate/a", "labels"), (results / "train", "labels/a"),
    )  # fmt: skip
    assert watched[str(tmp_path / "r")].read_by == tuple(
        (results / folder.format(slide), name.format(slide))
        for slide in "ab"
        for folder, name in (("detect/{}", "roi"), ("evaluate/{}", "roi"), ("train", "roi/{}"))
    )


def test_the_companions_of_a_slide_are_inputs_and_watched_unless_snakemake_would_expand_them(
    tmp_path,
):
    data = tmp_path / "a"
    data.mkdir()
    for path in (tmp_path / "a.mrxs", data / "Data.dat", data / "{x}.dat"):
        path.touch()
    slides = open_rows(tmp_path, "a\ta.mrxs", "b\tmissing.mrxs")
    assert slides.files(slides.ids, "path") == [str(tmp_path / "a.mrxs"), str(data / "Data.dat")]
    files = (tmp_path / "a.mrxs", data / "Data.dat", data / "{x}.dat")
    assert slides.watched()[str(tmp_path / "a.mrxs")].files == files


def test_replacements_are_those_of_the_files_that_are_asked_for(tmp_path):
    slides = open_rows(tmp_path, "a\ta.svs\tl\tr", "b\tb.svs\tm")
    found = {str(tmp_path / name): hashed for name, hashed in
             [("a.svs", "1"), ("b.svs", ""), ("l", "2"), ("r", "3"), ("elsewhere", "4")]}  # fmt: skip
    assert slides.replacements(["a"], ["path"], found) == ["1"]
    assert slides.replacements(["b"], ["path"], found) == []
    assert slides.replacements(["a", "b"], ["labels", "roi"], found) == ["2", "3"]
