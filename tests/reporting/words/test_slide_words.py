"""The sentences at the head of a page follow from the metrics, and lead to the crops."""

from types import SimpleNamespace

from lds_path.classes import LabelClass
from lds_path.formats.results import AssessResults, CropPosition, PictureSize
from lds_path.quality.metrics.metric import AREA, SHARE
from lds_path.reporting.words import cohort_words
from lds_path.reporting.words.advice import doubts_of
from lds_path.reporting.words.slide_words import Place, describe_slide

NAMES = ("Stroma", "Tumor", "Gland", "Fat", "Muscle", "Nerve")
SHARES = (10.04, 60.06, 0.0, 14.9, 9.0, 0.01)
PICTURES = ("overlay", "artefacts", "crop-1", "crop-2", "crop-3")
CROPS = ("Typical Tumor", "Where regions agree least", "Least confident")


def metric(value, unit):
    return {"value": value, "unit": unit, "definition": "", "source": ""}


class Record(SimpleNamespace):
    """As much of a slide's record as the sentences read."""

    def read(self, part):
        return self.assessed if part is AssessResults else None


def slide(name="s", word="pass", reasons=(), **changes):
    metrics = {
        "tissue_mm2": metric(12.3456, "mm²"),
        "pieces": metric(2, "pieces"),
        "uncertain_percent": metric(3.14, "% of tissue"),
        "unlike_tissue_percent": metric(0.02, "% of patches"),
        "unreadable_tiles": metric(1, "tiles"),
    }
    for class_name, share in zip(NAMES, SHARES, strict=True):
        metrics[SHARE + class_name] = metric(share, "% of tissue")
        metrics[AREA + class_name] = metric(12.3456 * share / 100, "mm²")
    numbers = dict.fromkeys(
        (
            "tissue_mm2",
            "analysed_percent",
            "confidence",
            "uncertain_percent",
            "out_of_focus_percent",
        )
    )
    assessed = AssessResults(
        verdict=word,
        reasons=tuple(reasons),
        classes=tuple(LabelClass(n, item, (0, 0, 0)) for n, item in enumerate(NAMES, 1)),
        view=PictureSize(10, 10, 1.0),
        crops=tuple(CropPosition(title, 0, 0, 0.5) for title in CROPS),
        **numbers,
    )
    fields = {"slide": name, "metrics": metrics, "assessed": assessed, "status": "done"}
    return Record(**fields | {"reason": "", "stopped_by": "", "quarantine": None} | changes)


def words_of(record):
    return describe_slide(record, doubts_of(record, PICTURES), PICTURES)


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_what_was_found_names_the_largest_classes_and_those_that_are_missing():
    assert plain(words_of(slide()).found) == (
        "12.35 mm² of tissue in 2 pieces: Tumor 60.1 % (7.41 mm²), Fat 14.9 % (1.84 mm²),"
        " Stroma 10.0 % (1.24 mm²), Muscle 9.0 % (1.11 mm²) and 1 other class <0.1 %. No Gland."
    )


def test_what_is_doubtful_is_said_even_of_a_slide_that_passes():
    assert plain(words_of(slide()).doubtful) == (
        "No limit is broken; the model is unsure about 3.1 % of the tissue; <0.1 % looks unlike the"
        " slides that it learned from; 1 tile of the file could not be read."
    )


def test_a_warning_leads_to_the_crop_that_shows_it_and_so_does_where_to_look_first():
    reason = "the model is unsure about 23.1 % of the tissue (limit 20 %)"
    record = slide(word="warn", reasons=(reason, "something else"))
    known, other = doubts_of(record, PICTURES)
    assert known.reason == reason
    assert known.href == "#crop-3"
    assert "another class is nearly as likely" in known.meaning
    assert (other.meaning, other.href) == ("", "")
    words = words_of(record)
    assert words.doubtful.startswith("2 warnings below; ")
    assert words.look[0] == Place("where the model is least sure", "#crop-3")
    assert [place.href for place in words.look] == ["#crop-3", "#crop-2", "#crop-1"]


def test_a_slide_without_a_result_says_who_put_it_aside():
    record = slide(assessed=None, status="quarantined", stopped_by="detect", reason="too dark")
    assert words_of(record).found.startswith("No result: detect put the slide aside")
    assert words_of(record).look == ()


def test_a_cohort_says_what_most_slides_suffer_from_and_which_to_open_first():
    doubt = "the model is unsure about {} % of the tissue (limit 20 %)"
    records = [
        slide("a"),
        *(slide(n, "warn", (doubt.format(p),)) for n, p in (("b", 21), ("c", 30))),
    ]
    records.append(slide("d", "fail", ("the model 'demo' knows only painted slides",)))
    words = cohort_words.describe_cohort(records, {name: f"slides/{name}.html" for name in "abcd"})
    assert plain(words.found).startswith(
        "49.38 mm² of tissue on 4 slides (median 12.35 mm²); of all of it, Tumor 60.1 %, Fat 14.9 %"
    )
    assert words.doubtful == (
        "3 of 4 slides need attention: 1 fail and 2 warn. The most frequent reason, on 2 slides: "
        + doubt.format("21 to 30")
        + "."
    )
    assert words.look[0] == Place("d (fail)", "slides/d.html")
    assert len(words.look) == 3
