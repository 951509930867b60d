"""Which files are a slide, found without opening it."""

from __future__ import annotations

import os
import shutil

import numpy as np
import openslide
import pytest
import tifffile
from dicom import new_uid, write_instance
from mirax import write_mirax
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lds_path.slides.companions import find_slide_files
from lds_path.slides.dicom_header import read_series

PIXELS = np.full((256, 256, 3), 200, np.uint8)


def names(path):
    first, *others = find_slide_files(path)
    assert first == path
    return [file.relative_to(path.parent).as_posix() for file in others]


@pytest.mark.parametrize("name", ["slide.mrxs", "[a] {b}.c.MRXS"])
def test_the_folder_of_a_mirax_slide_belongs_to_it(tmp_path, name):
    path = tmp_path / name
    write_mirax(path, PIXELS, 0.5)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Data0000.dat").touch()
    (path.with_suffix("") / ".DS_Store").touch()
    files = ["Data0000.dat", "Data0001.dat", "Data0002.dat", "Index.dat", "Slidedat.ini"]
    assert names(path) == [f"{path.stem}/{file}" for file in files]


def test_the_instances_of_a_series_in_one_folder_are_a_slide_as_for_openslide(tmp_path):
    one, two = new_uid(), new_uid()
    for number in range(2):
        write_instance(
            tmp_path / f"a{number}.dcm", PIXELS[:: 2**number, :: 2**number], 0.5 * 2**number, one
        )
        write_instance(
            tmp_path / f"b{number}", PIXELS[:: 2**number, :: 2**number], 0.5 * 2**number, two
        )
    (tmp_path / "below").mkdir()
    shutil.copy(tmp_path / "a0.dcm", tmp_path / "below")
    (tmp_path / "notes.txt").write_text("x")
    assert names(tmp_path / "a1.dcm") == ["a0.dcm"]
    assert names(tmp_path / "b0") == ["b1"]
    with openslide.OpenSlide(tmp_path / "a1.dcm") as slide:
        assert (
            slide.properties["dicom.SeriesInstanceUID"] == read_series(tmp_path / "a1.dcm") == one
        )


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [False, True])
def test_the_series_is_that_of_the_file_and_not_one_that_it_refers_to(tmp_path, syntax, undefined):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = new_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(str(tmp_path / "a.dcm"), {}, file_meta=meta, preamble=bytes(128))
    deeper = Dataset()
    deeper.SeriesInstanceUID = new_uid()
    deeper.is_undefined_length_sequence_item = undefined
    referred = Dataset()
    referred.SeriesInstanceUID = new_uid()
    referred.ReferencedInstanceSequence = Sequence([deeper, deeper])
    referred.is_undefined_length_sequence_item = undefined
    dataset.ReferencedSeriesSequence = Sequence([referred, referred])
    for sequence in (dataset["ReferencedSeriesSequence"], referred["ReferencedInstanceSequence"]):
        sequence.is_undefined_length = undefined
    dataset.SeriesInstanceUID = new_uid()
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_series(tmp_path / "a.dcm") == dataset.SeriesInstanceUID


def test_a_dicom_file_that_is_cut_short_anywhere_has_a_series_or_none(tmp_path):
    series = new_uid()
    write_instance(tmp_path / "a.dcm", PIXELS[:16, :16], 0.5, series, tile=16)
    content = (tmp_path / "a.dcm").read_bytes()[:1500]
    for length in range(len(content)):
        (tmp_path / "b.dcm").write_bytes(content[:length])
        assert series.startswith(read_series(tmp_path / "b.dcm"))
        assert find_slide_files(tmp_path / "b.dcm")


@pytest.mark.parametrize(
    ("file", "kind"),
    [("slide.vms", "Virtual"), ("slide.vmu", "Uncompressed Virtual"), ("index", "Virtual")],
)
def test_the_images_that_an_index_of_hamamatsu_names_belong_to_it(tmp_path, file, kind):
    for name in ("a.jpg", "b(1,0).jpg", "map.jpg", "mäkro.jpg", "unnamed.jpg"):
        (tmp_path / name).touch()
    lines = [
        f"[{kind} Microscope Specimen]", "NoLayers=1", "ImageFile=a.jpg",
        "ImageFile(1,0) = b(1,0).jpg ", "MapFile=map.jpg", "MacroImage=m\xe4kro.jpg",
        "OptimisationFile=gone.opt", "ImageFile(2,0)=../elsewhere.jpg", "MapFile=",
    ]  # fmt: skip
    (tmp_path / file).write_bytes("\r\n".join(lines).encode("latin-1"))
    assert names(tmp_path / file) == ["a.jpg", "b(1,0).jpg", "map.jpg", "mäkro.jpg"]


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a"])
def test_the_files_that_ome_xml_names_belong_to_the_slide(tmp_path, name):
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<UUID FileName="{name}">urn:uuid:1</UUID><UUID FileName="b &amp; c.ome.tif">u</UUID>'
        "<UUID FileName='d.ome.tif'>u</UUID><UUID FileName=\"/etc/passwd\">u</UUID>"
        '<UUID FileName="gone.tif">u</UUID><BinaryOnly MetadataFile="all.companion.ome"/></OME>'
    )
    tifffile.imwrite(tmp_path / name, PIXELS, description=xml, metadata=None)
    for other in ("b & c.ome.tif", "d.ome.tif", "e.ome.tif", "all.companion.ome"):
        (tmp_path / other).touch()
    assert names(tmp_path / name) == ["all.companion.ome", "b & c.ome.tif", "d.ome.tif"]


@pytest.mark.parametrize("name", ["a.svs", "a.ndpi", "a.png", "a.tif", "a.mrxs", "a.dcm", "a.vms"])
@pytest.mark.parametrize(
    "content",
    [None, b"", b"II*\0", b"II*\0" + b"\xff" * 500, bytes(128) + b"DICM" + b"\xff" * 200, b"[Virt"],
)
def test_any_other_slide_and_one_that_cannot_be_read_is_one_file(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert names(tmp_path / name) == []


def test_a_slide_in_a_format_of_single_files_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.open", None)
    monkeypatch.setattr("pathlib.Path.stat", None)
    assert names(tmp_path / "a.svs") == names(tmp_path / "B.NDPI") == []


def test_a_pipe_is_not_waited_for(tmp_path):
    for name in ("a.tif", "b"):
        os.mkfifo(tmp_path / name)
        assert names(tmp_path / name) == []
