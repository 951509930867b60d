"""The slides of a folder become a sheet, each with an id that stays."""

from pathlib import Path

import numpy as np
import pytest
from dicom import new_uid, write_instance
from ngff import write_image

from lds_path.direct.slide_list import find_slides, is_sheet, list_slides, make_id, write_if_other
from lds_path.errors import UsageError
from lds_path.run.sheet import read_sheet


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def names_of(paths):
    return [path.name for path in paths]


def test_a_folder_gives_its_slides_and_nothing_else(tmp_path):
    touch(tmp_path, "b.svs", "a.NDPI", ".hidden.svs", "notes.pdf", "thumbnail.png", "sub/c.svs")
    assert names_of(find_slides(tmp_path)) == ["a.NDPI", "b.svs"]


def test_pictures_and_folders_in_the_folder_count_where_there_is_nothing_else(tmp_path):
    touch(tmp_path, "picture.jpg", "case/d.svs")
    assert names_of(find_slides(tmp_path)) == ["d.svs"]
    (tmp_path / "case/d.svs").unlink()
    assert names_of(find_slides(tmp_path)) == ["picture.jpg"]


def test_a_slide_of_several_files_is_one_slide(tmp_path):
    series, other = new_uid(), new_uid()
    pixels = np.full((64, 64, 3), 200, np.uint8)
    for name, uid in (("1.dcm", series), ("2.dcm", series), ("3.dcm", other)):
        write_instance(tmp_path / name, pixels, 0.5, uid)
    assert names_of(find_slides(tmp_path)) == ["1.dcm", "3.dcm"]


def test_an_ome_zarr_is_a_slide_and_no_folder_of_slides(tmp_path):
    store = write_image(tmp_path / "case" / "a.ome.zarr", [np.zeros((64, 64, 3), np.uint8)])
    (store / "thumbnail.tif").touch()
    (tmp_path / "case" / "empty.zarr").mkdir()
    assert find_slides(store) == [store]
    assert find_slides(tmp_path / "case") == [store]
    assert find_slides(tmp_path) == [store]
    assert make_id(store, set()) == "a"


def test_ids_are_the_names_as_far_as_ids_may_hold_them():
    assert make_id(Path("CMU 1 (rescan).ome.tif"), set()) == "CMU-1-rescan"
    assert make_id(Path("äöü.svs"), set()) == "slide"
    assert make_id(Path("A.svs"), {"a", "a-2"}) == "A-3"
    assert len(make_id(Path("x" * 300 + ".svs"), set())) <= 100


def test_slides_keep_their_ids_when_others_come(tmp_path):
    sheet = tmp_path / "slides.tsv"
    text, ids = list_slides(touch(tmp_path, "x/scan.svs"), sheet, 0.25)
    write_if_other(sheet, text)
    assert ids == ["scan"]
    text, ids = list_slides(touch(tmp_path, "a/scan.svs", "x/scan.svs", "y z/ü.svs"), sheet, None)
    write_if_other(sheet, text)
    assert ids == ["scan-2", "scan", "slide"]
    rows = read_sheet(sheet)
    assert list(rows.index) == ["scan", "scan-2", "slide"]
    assert rows.loc["slide", "path"] == str(tmp_path / "y z/ü.svs")
    assert rows["mpp"].isna().tolist() == [False, True, True]


def test_what_a_person_filled_in_stays(tmp_path):
    slide, other = touch(tmp_path, "a.svs", "b.svs")
    sheet = tmp_path / "slides.tsv"
    sheet.write_text(f"slide\tpath\tmpp\tbatch\nmine\t{slide}\t0.25\tMay\n")
    text, ids = list_slides([slide, other], sheet, None)
    write_if_other(sheet, text)
    rows = read_sheet(sheet)
    assert ids == ["mine", "b"]
    assert rows.loc["mine", ["mpp", "batch"]].tolist() == [0.25, "May"]
    assert list_slides([slide], sheet, 0.5)[0].splitlines()[1].split("\t")[2] == "0.5"


def test_all_rows_of_a_file_with_several_images_stay(tmp_path):
    slides = touch(tmp_path, "a.tif", "b.tif")
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("slide\tpath\tscene\n" + "".join(f"a-{k}\ta.tif\t{k}\n" for k in "01"))
    text, ids = list_slides(slides, sheet, None)
    write_if_other(sheet, text)
    assert ids == ["a-0", "a-1", "b"]
    assert read_sheet(sheet)["scene"].tolist() == ["0", "1", ""]


def test_an_unchanged_sheet_keeps_its_time(tmp_path):
    sheet = tmp_path / "slides.tsv"
    write_if_other(sheet, "a")
    before = sheet.stat().st_mtime_ns
    write_if_other(sheet, "a")
    assert sheet.stat().st_mtime_ns == before
    write_if_other(sheet, "b")
    assert sheet.read_text() == "b"


def test_a_name_that_no_sheet_can_hold_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"tab.*rename"):
        list_slides(touch(tmp_path, "a\tb.svs"), tmp_path / "slides.tsv", None)


def test_a_sheet_is_known_by_its_name():
    assert is_sheet(Path("cohort.TSV"))
    assert not is_sheet(Path("scan.tif"))


def test_what_holds_no_slide_is_named(tmp_path):
    with pytest.raises(UsageError, match="holds no slide; expected names that end with"):
        find_slides(tmp_path)
    with pytest.raises(UsageError, match="does not exist; name a slide"):
        find_slides(tmp_path / "gone.svs")
    touch(tmp_path, "case-1.svs")
    with pytest.raises(UsageError, match=r"did you mean 'case-1.svs'\? Or name a slide"):
        find_slides(tmp_path / "case1.svs")
