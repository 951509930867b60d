"""The label image of a DICOM slide as a DICOM segmentation, read again by highdicom and pydicom."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner
from dicom import new_uid, place_on_glass, write_instance

import lds_path as lds
from lds_path.classes import LabelClass
from lds_path.cli import cli
from lds_path.errors import StageInputError, UsageError
from lds_path.formats.labels.label_images import Labels, write_labels
from lds_path.geometry import Frame, Size
from lds_path.objects.converted import dicom_seg
from lds_path.objects.converted.dicom_source import unchecked_values
from lds_path.pixels.synthetic import paint_slide

needs_highdicom = pytest.mark.skipif(
    not dicom_seg.find_spec("highdicom"), reason="highdicom is not installed"
)

MPP = 0.5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A slide with levels of 0.25 and 0.5 um, segmented at 0.5 um."""
    folder = tmp_path_factory.mktemp("dicom")
    pixels = np.concatenate(list(paint_slide(1, Size(700, 600)).strips()))
    series = new_uid()
    fine = pixels.repeat(2, 0).repeat(2, 1)
    for name, level, mpp in (("fine", fine, MPP / 2), ("even", pixels, MPP)):
        write_instance(folder / "slide" / f"{name}.dcm", level, mpp, series)
        place_on_glass(folder / "slide" / f"{name}.dcm")
    lds.segment(
        folder / "slide/fine.dcm",
        model="demo",
        output=folder / "results",
        options={"stitch": {"mpp": "working"}},
        threads=1,
    )
    return folder


@pytest.fixture
def result(run):
    return lds.open_result(run / "results", "fine")


def read_matrix(path):
    """Return the segment numbers of all pixels, by highdicom."""
    from highdicom.seg import segread

    return segread(path).get_total_pixel_matrix(combine_segments=True)


@needs_highdicom
def test_the_segments_are_the_labels_on_the_level_that_is_as_coarse(result, run, tmp_path):
    result.to_dicom_seg(tmp_path / "labels.dcm")
    labels = result.labels.levels[0].compute()
    assert len(np.unique(labels)) > 2
    np.testing.assert_array_equal(read_matrix(tmp_path / "labels.dcm"), labels)
    written = pydicom.dcmread(tmp_path / "labels.dcm")
    even = pydicom.dcmread(run / "slide/even.dcm", stop_before_pixels=True)
    reference = written.ReferencedSeriesSequence[0]
    assert reference.SeriesInstanceUID == even.SeriesInstanceUID
    instances = [item.ReferencedSOPInstanceUID for item in reference.ReferencedInstanceSequence]
    assert instances == [even.SOPInstanceUID]
    assert written.StudyInstanceUID == even.StudyInstanceUID
    assert written.FrameOfReferenceUID == even.FrameOfReferenceUID
    assert (written.Rows, written.Columns) == (even.Rows, even.Columns)
    measures = written.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(value) * 1000 for value in measures.PixelSpacing] == [MPP, MPP]


@needs_highdicom
def test_a_finer_level_repeats_the_labels(result, run, tmp_path):
    result.to_dicom_seg(tmp_path / "labels.dcm", level=0)
    labels = result.labels.levels[0].compute()
    np.testing.assert_array_equal(
        read_matrix(tmp_path / "labels.dcm"), labels.repeat(2, 0).repeat(2, 1)
    )
    fine = pydicom.dcmread(run / "slide/fine.dcm", stop_before_pixels=True)
    written = pydicom.dcmread(tmp_path / "labels.dcm", stop_before_pixels=True)
    source = written.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert source.ReferencedSOPInstanceUID == fine.SOPInstanceUID


@needs_highdicom
def test_segments_have_the_names_the_colours_and_the_codes_of_the_classes(result, tmp_path):
    from highdicom.color import CIELabColor

    result.to_dicom_seg(tmp_path / "labels.dcm")
    segments = pydicom.dcmread(tmp_path / "labels.dcm").SegmentSequence
    assert [item.SegmentLabel for item in segments] == [item.name for item in result.classes]
    for segment, item in zip(segments, result.classes, strict=True):
        color = CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue).to_rgb()
        np.testing.assert_allclose(color, item.color, atol=1)
    codes = {item.SegmentLabel: item.SegmentedPropertyTypeCodeSequence[0] for item in segments}
    assert (codes["Tumor"].CodeValue, codes["Tumor"].CodingSchemeDesignator) == ("108369006", "SCT")
    assert (codes["Gland"].CodeValue, codes["Gland"].CodeMeaning) == ("Gland", "Gland")
    assert codes["Gland"].CodingSchemeDesignator == "99LDSPATH"


@needs_highdicom
def test_the_same_labels_have_the_same_identifiers(result, tmp_path):
    for name in ("one.dcm", "two.dcm"):
        result.to_dicom_seg(tmp_path / name)
    result.to_dicom_seg(tmp_path / "other.dcm", level=0)
    one, two, other = (
        pydicom.dcmread(tmp_path / name, stop_before_pixels=True).SOPInstanceUID
        for name in ("one.dcm", "two.dcm", "other.dcm")
    )
    assert one == two != other


@needs_highdicom
def test_the_command_writes_it_and_never_over_a_file(result, run, tmp_path):
    arguments = ["dicom-seg", str(run / "results"), "fine", str(tmp_path / "labels.dcm")]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    before = (tmp_path / "labels.dcm").read_bytes()
    ended = CliRunner().invoke(cli, arguments)
    assert isinstance(ended.exception, UsageError)
    assert "labels.dcm exists already" in str(ended.exception)
    assert (tmp_path / "labels.dcm").read_bytes() == before


@needs_highdicom
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": 2}, "has no level 2; its levels, from 0, are 1400 x 1200, 700 x 600"),
        ({"slide": "results/slides.tsv"}, "slides.tsv is no DICOM slide"),
        ({"slide": "gone.dcm"}, "gone.dcm is no DICOM slide"),
        ({"slide": "other.dcm"}, "other.dcm is 300 x 200, and .* is 1400 x 1200; name"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(result, run, tmp_path, changes, message):
    write_instance(run / "other.dcm", np.zeros((200, 300, 3), np.uint8), MPP, new_uid())
    if "slide" in changes:
        changes = {"slide": run / changes["slide"]}
    with pytest.raises(UsageError, match=message) as caught:
        result.to_dicom_seg(tmp_path / "labels.dcm", **changes)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@needs_highdicom
@pytest.mark.parametrize("limit", ["MAX_TILES", "MAX_BYTES"])
def test_a_level_beyond_memory_is_refused(result, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(dicom_seg, limit, 4)
    with pytest.raises(UsageError, match=r"700 x 600, has .*; take a coarser level"):
        result.to_dicom_seg(tmp_path / "labels.dcm")
    assert not list(tmp_path.iterdir())


@needs_highdicom
def test_a_level_in_several_files_is_referred_to_as_a_whole(result, tmp_path):
    pixels, series = np.full((600, 700, 3), 243, np.uint8), new_uid()
    write_instance(tmp_path / "slide/fine.dcm", pixels.repeat(2, 0).repeat(2, 1), MPP / 2, series)
    place_on_glass(tmp_path / "slide/fine.dcm")
    whole, parts = new_uid(), (range(15), range(15, 30))
    for number, frames in enumerate(parts, start=1):
        path = tmp_path / "slide" / f"{number}.dcm"
        part = (whole, number, len(parts))
        write_instance(path, pixels, MPP, series, part=part, frames=frames)
        place_on_glass(path)
    result.to_dicom_seg(tmp_path / "labels.dcm", slide=tmp_path / "slide/fine.dcm")
    labels = result.labels.levels[0].compute()
    np.testing.assert_array_equal(read_matrix(tmp_path / "labels.dcm"), labels)
    sources = pydicom.dcmread(tmp_path / "labels.dcm").SourceImageSequence
    assert {item.ReferencedSOPInstanceUID for item in sources} == {
        pydicom.dcmread(tmp_path / "slide" / name).SOPInstanceUID for name in ("1.dcm", "2.dcm")
    }


@needs_highdicom
def test_a_slide_that_leaves_out_what_may_be_empty_gets_a_segmentation(data, tmp_path):
    slide = data / "slides/multiframe_camelyon_challenge_image.dcm"
    classes = (LabelClass(1, "Tumör", (213, 94, 0)), LabelClass(4, "A long name of it", (1, 2, 3)))
    pixels = np.zeros((350, 576), np.uint8)
    pixels[100:200, 300:400], pixels[250:, :50] = 1, 4
    size = Size(576, 350)
    write_labels(tmp_path / "x.ome.tif", [pixels], size, mpp=57.9, classes=classes)
    with Labels(tmp_path / "x.ome.tif") as labels:
        dicom_seg.write_dicom_seg(
            tmp_path / "labels.dcm",
            labels,
            slide,
            size_l0=Size(1152, 700),
            frame=Frame(57.9, 2.0),
            model="own",
        )
    expected = np.where(pixels == 4, 2, pixels).repeat(2, 0).repeat(2, 1)
    with unchecked_values():  # the slide's own: an identifier of 66 characters
        np.testing.assert_array_equal(read_matrix(tmp_path / "labels.dcm"), expected)
        segments = pydicom.dcmread(tmp_path / "labels.dcm").SegmentSequence
    assert [item.SegmentLabel for item in segments] == ["Tumör", "A long name of it"]


@needs_highdicom
def test_labels_without_a_class_are_refused(data, tmp_path):
    slide, size = data / "slides/multiframe_camelyon_challenge_image.dcm", Size(576, 350)
    classes = (LabelClass(1, "Tumor", (213, 94, 0)),)
    path = tmp_path / "x.ome.tif"
    write_labels(path, [np.zeros((350, 576), np.uint8)], size, mpp=57.9, classes=classes)
    with (
        Labels(path) as labels,
        pytest.raises(UsageError, match=r"x.ome.tif has no pixel of a class"),
    ):
        dicom_seg.write_dicom_seg(
            tmp_path / "labels.dcm",
            labels,
            slide,
            size_l0=Size(1152, 700),
            frame=Frame(57.9, 2.0),
            model="own",
        )


@needs_highdicom
def test_a_slide_that_does_not_say_where_it_lies_is_refused(result, run, tmp_path):
    folder = shutil.copytree(run / "slide", tmp_path / "slide")
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        del header.FrameOfReferenceUID
        header.save_as(path)
    with pytest.raises(UsageError, match=r"even.dcm states no FrameOfReferenceUID"):
        result.to_dicom_seg(tmp_path / "labels.dcm", slide=folder / "fine.dcm")


def test_without_highdicom_the_extra_is_named(result, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_seg, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r'highdicom.*pip install "lds-path\[dicom\]"'):
        result.to_dicom_seg(tmp_path / "labels.dcm")


def test_a_result_that_is_not_finished_says_which_stage_is_missing(run, tmp_path):
    results = shutil.copytree(run / "results", tmp_path / "results")
    shutil.rmtree(results / "stitch")
    arguments = ["dicom-seg", str(results), "fine", str(tmp_path / "labels.dcm")]
    ended = CliRunner().invoke(cli, arguments)
    assert isinstance(ended.exception, StageInputError)
    assert str(Path("stitch/fine")) in str(ended.exception)
