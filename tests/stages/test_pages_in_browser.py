"""The pages work in a browser: Chromium sorts, filters, moves the slider, prints, and asks nobody."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from browser import find, find_all
from PIL import Image
from stage_folders import make_folders

from lds_path.classes import LabelClass
from lds_path.errors import MissingMppError
from lds_path.provenance.stage_run import run_stage
from lds_path.reporting.training_page import (
    Example,
    LearnedClass,
    TrainingPage,
    render_training,
)
from lds_path.stages.assess import assess
from lds_path.stages.export import export
from lds_path.stages.report import report

SLIDES = ("a-1", "b-2", "c-3")
PAPER = 718
"""Width of A4 between margins of a centimetre, in pixels of CSS."""
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


def finish(root: Path, slide: str, width: int) -> None:
    rgb = np.random.default_rng(width).integers(60, 200, (512, width, 3)).astype(np.uint8)
    labels = np.where(np.arange(width) < 300, 1, 2) * np.ones((512, 1))
    tissue = np.ones((32, width // 16), bool)
    folders = make_folders(root, slide, rgb, tissue, labels.astype(np.uint8))
    assess(folders.tile, folders.detect, folders.segment, folders.stitch, root / "assess" / slide)
    export(folders.stitch, root / "export" / slide)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    """The report of two slides that were analysed and one that was not."""
    root = tmp_path_factory.mktemp("cohort") / "results"
    finish(root, "a-1", 640)
    finish(root, "b-2", 960)

    def refuse(*_: object) -> dict[str, object]:
        raise MissingMppError("fill the 'mpp' column of slides.tsv")

    run_stage("tile", root / "tile" / "c-3", refuse, inputs={}, parameters={}, slide="c-3")
    sheet = root / "slides.tsv"
    rows = [f"{slide}\t{slide}.tif\t{'XY'[slide == 'b-2']}" for slide in SLIDES]
    sheet.write_text("\n".join(["slide\tpath\tbatch", *rows]), encoding="utf-8")
    report(root, root / "report", slides=SLIDES, sheet=sheet)
    write_training(root / "report" / "training.html")
    return root / "report"


def write_training(path: Path) -> None:
    """Write the page of a training with long names and two regions."""
    picture = Image.fromarray(np.full((300, 256, 3), 200, np.uint8))
    curve = io.BytesIO()
    picture.save(curve, "PNG")
    names = ("Stroma", "Tumor: invasive, of a high grade", "Lymphocytes")
    classes = [
        LearnedClass(LabelClass(value, name, (200, 80, 0)), 1.5, 3, 0.25, 2, 0.875)
        for value, name in enumerate(names, start=1)
    ]
    page = TrainingPage(
        model="results/train",
        description="Finds tumours.",
        facts={"Regions": "2048 x 2048 pixels of 0.5 µm, seen as 256 x 256 samples"},
        warnings=["All slides to learn from are of one patient."],
        curve=curve.getvalue(),
        classes=classes,
        slides={"a-1": (0.5, None, 0.25), "a-long-name-of-a-slide-2024-08-01": (1.0, 0.0, 0.5)},
        examples=[Example("a-1", "10240, 4096", "50 % is wrong", (picture,) * 3)] * 2,
        commands={"On other slides": "snakemake --cores all --config model=results/train"},
    )
    path.write_text(render_training(page), encoding="utf-8")


def shown_slides(driver):
    rows = find_all(driver, "#cohort tbody tr")
    return [find(row, "a").text for row in rows if row.is_displayed()]


def sort_by(driver, heading):
    buttons = find_all(driver, "#cohort thead button")
    next(button for button in buttons if button.text.startswith(heading)).click()


def test_a_press_on_a_heading_sorts_up_and_again_down(chromium, pages):
    chromium.get((pages / "index.html").as_uri())
    sort_by(chromium, "Tissue")
    assert shown_slides(chromium) == ["a-1", "b-2", "c-3"]
    sort_by(chromium, "Tissue")
    assert shown_slides(chromium) == ["b-2", "a-1", "c-3"]
    heading = find(chromium, "#cohort th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "descending"


def test_filters_hide_slides_and_say_how_many_are_left(chromium, pages):
    chromium.get((pages / "index.html").as_uri())
    find(chromium, "#filter").send_keys("MPP")
    assert shown_slides(chromium) == ["c-3"]
    assert find(chromium, "#shown").text == "1 of 3 slides"
    find(chromium, "#filter").clear()
    find(chromium, "#filter").send_keys(" ")
    find(chromium, "#filter-batch").send_keys("Y")
    assert shown_slides(chromium) == ["b-2"]
    find(chromium, "#filter-word").send_keys("quarantined")
    assert shown_slides(chromium) == []


def test_the_table_can_be_sorted_by_keyboard(chromium, pages):
    chromium.get((pages / "index.html").as_uri())
    button = find(chromium, "#cohort thead button")
    button.send_keys("\ue007")  # enter
    button.send_keys("\ue007")
    assert shown_slides(chromium) == ["c-3", "b-2", "a-1"]


def test_a_slide_opens_and_its_slider_fades_the_labels(chromium, pages):
    chromium.get((pages / "index.html").as_uri())
    find(chromium, "#cohort tbody a").click()
    assert chromium.current_url.endswith("/slides/a-1.html")
    slider = find(chromium, "#opacity")
    slider.send_keys("\ue011")  # home
    assert find(chromium, "#overlay").value_of_css_property("opacity") == "0"
    slider.send_keys("\ue014" * 30)  # right
    assert find(chromium, "#overlay").value_of_css_property("opacity") == "0.3"
    assert find(chromium, "#opacity-value").text == "30 %"
    find(chromium, ".crumb a").click()
    assert chromium.current_url.endswith("/index.html")


def test_where_to_look_first_leads_to_the_crop(chromium, pages):
    chromium.get((pages / "slides" / "a-1.html").as_uri())
    link = find(chromium, "#words a[href^='#crop-']")
    name = link.get_attribute("href").split("#")[1]
    link.click()
    top, height = chromium.execute_script(
        "const box = document.getElementById(arguments[0]).getBoundingClientRect();"
        "return [box.top, innerHeight]",
        name,
    )
    assert 0 <= top < height


def test_pictures_of_the_sampling_are_folded_away(chromium, pages):
    chromium.get((pages / "slides" / "a-1.html").as_uri())
    picture = find(chromium, "#picture-sampling")
    assert not picture.is_displayed()
    find(chromium, "#sampled summary").click()
    assert picture.is_displayed()


def test_both_pictures_of_the_slider_have_one_size(chromium, pages):
    chromium.get((pages / "slides" / "a-1.html").as_uri())
    sizes = [
        (image.get_property("naturalWidth"), image.get_property("naturalHeight"))
        for image in find_all(chromium, ".pile img")
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    "page", ["index.html", "slides/a-1.html", "slides/c-3.html", "training.html"]
)
def test_every_picture_is_there_and_nothing_is_wider_than_a_phone(chromium, pages, page):
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    chromium.get((pages / page).as_uri())
    for image in find_all(chromium, "img"):
        chromium.execute_script("arguments[0].loading = 'eager'", image)
    broken = chromium.execute_async_script(
        "const done = arguments[0];"
        "Promise.all([...document.images].map((one) => one.decode().then(() => '', () => one.src)))"
        ".then((found) => done(found.filter(Boolean)));"
    )
    assert broken == []
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index.html", "slides/a-1.html", "training.html"])
def test_text_contrasts_with_its_background(chromium, pages, page, scheme):
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    chromium.get((pages / page).as_uri())
    low = chromium.execute_script(CONTRAST)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert low == []


@pytest.mark.parametrize("page", ["index.html", "slides/a-1.html", "training.html"])
def test_pages_print(chromium, pages, page):
    chromium.get((pages / page).as_uri())
    printed = chromium.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"])[:5] == b"%PDF-"
    assert len(printed["data"]) > 20_000


@pytest.mark.parametrize(("media", "width"), [("screen", 1280), ("print", PAPER)])
@pytest.mark.parametrize("page", ["index.html", "slides/a-1.html", "training.html"])
def test_no_table_is_cut_on_a_desktop_or_on_paper(chromium, pages, page, media, width):
    shape = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    chromium.get((pages / page).as_uri())
    cut = chromium.execute_script(
        "return [...document.querySelectorAll('.scroll')]"
        ".filter((one) => one.firstElementChild.offsetWidth > one.clientWidth + 1)"
        ".map((one) => one.innerText.slice(0, 60));"
    )
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert cut == []


CONTRAST = """
const luminance = ([r, g, b]) => [r, g, b]
  .map((part) => part / 255)
  .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const colour = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const found = colour(getComputedStyle(node).backgroundColor);
    if (found.length < 4 || found[3] > 0) return found;
  }
  return [255, 255, 255];
};
const low = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  if (!own || !node.offsetParent || node.closest("svg")) continue;
  const [one, two] = [colour(getComputedStyle(node).color), ground(node)].map(luminance);
  const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  if (ratio < 4.5) low.push(`${node.tagName} ${node.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
}
return low;
"""
"""Names what has less contrast than WCAG 2 asks of text, 4.5 to 1."""
