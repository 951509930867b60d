"""The viewer of a slide works from a folder, without a server: it zooms, fades and links places."""

import io
import re
import shutil

import numpy as np
import pytest
from browser import find, find_all
from PIL import Image
from stage_folders import CLASSES, make_folders

from lds_path.options.quality import ReportOptions
from lds_path.stages.assess import assess
from lds_path.stages.export import export
from lds_path.stages.report import report

GREEN = (40, 160, 60)
MPP = 0.5


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of one slide of green tissue; half of it is of one class and half of the other."""
    root = tmp_path_factory.mktemp("viewed") / "results"
    rgb = np.full((1200, 1600, 3), 243, np.uint8)
    rgb[:, :1400] = GREEN
    labels = np.where(np.arange(1600) < 700, 1, 2) * np.ones((1200, 1))
    tissue = np.zeros((75, 100), bool)
    tissue[:, :87] = True
    folders = make_folders(root, "s", rgb, tissue, labels.astype(np.uint8), tile={"slide_mpp": MPP})
    assess(folders.tile, folders.detect, folders.segment, folders.stitch, root / "assess" / "s")
    export(folders.stitch, root / "export" / "s")
    return root


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    """The page of the slide in a report that was packed, sent to another computer and unpacked."""
    report(results, results / "report", slides=["s"], options=ReportOptions(zoom="0.5"))
    folder = tmp_path_factory.mktemp("elsewhere")
    packed = shutil.make_archive(str(folder / "report"), "zip", results / "report")
    shutil.unpack_archive(packed, folder / "unpacked")
    return (folder / "unpacked" / "slides" / "s.html").as_uri()


def open_viewer(driver, address):
    driver.get("about:blank")
    driver.get(address)
    settle(driver)


def settle(driver, *ids):
    """Wait until the viewers have moved and drawn everything."""
    driver.execute_async_script(SETTLED, list(ids) or ["viewer"])


SETTLED = """
const [ids, done] = arguments;
const isStill = (id) => {
  const viewer = document.getElementById(id).viewer;
  const images = viewer ? viewer.world._items : [];
  return images.length > 0 && images.every((one) => !one.opacity || one.getFullyLoaded());
};
const settle = () => ids.every(isStill) ? setTimeout(done, 700) : setTimeout(settle, 50);
setTimeout(settle, 50);
"""


def place(driver):
    """Return the place in the link: x, y and microns per pixel of the screen."""
    found = re.search(r"#at=(.*),(.*),(.*)$", driver.current_url)
    return tuple(map(float, found.groups())) if found else None


def colour(driver, x, y):
    """Return the colour on the screen, at a fraction of the viewer's width and height."""
    picture = Image.open(io.BytesIO(find(driver, ".zoom-stage").screenshot_as_png)).convert("RGB")
    return picture.getpixel((int(picture.width * x), int(picture.height * y)))


def is_near(found, expected):
    return max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 12


def mixed(label_class, opacity=0.4):
    pairs = zip(GREEN, label_class.color, strict=True)
    return tuple(round(a + (b - a) * opacity) for a, b in pairs)


def test_the_slide_is_shown_with_its_labels_and_their_legend(chromium, page):
    open_viewer(chromium, page)
    assert is_near(colour(chromium, 0.4, 0.5), mixed(CLASSES[0]))
    assert is_near(colour(chromium, 0.6, 0.5), mixed(CLASSES[1]))
    legend = find(chromium, "[data-layer=labels] .legend").text.split()
    assert legend == [item.name for item in CLASSES]
    assert place(chromium) is None


def test_layers_are_switched_and_faded(chromium, page):
    open_viewer(chromium, page)
    labels = find(chromium, "[data-layer=labels]")
    slider = find(labels, "input[type=range]")
    slider.send_keys("\ue010")  # end
    settle(chromium)
    assert is_near(colour(chromium, 0.4, 0.5), CLASSES[0].color)
    find(labels, "input[type=checkbox]").click()
    settle(chromium)
    assert is_near(colour(chromium, 0.4, 0.5), GREEN)
    for layer in ("confidence", "density", "artefacts"):
        before = chromium.execute_script(OPACITIES)
        find(chromium, f"[data-layer={layer}] input[type=checkbox]").click()
        after = chromium.execute_script(OPACITIES)
        assert [b > a for a, b in zip(before, after, strict=True)].count(True) == 1
    settle(chromium)
    assert not is_near(colour(chromium, 0.4, 0.5), GREEN)


OPACITIES = (
    "return document.getElementById('viewer').viewer.world._items.map((one) => one.opacity);"
)


def test_a_press_on_a_crop_goes_there(chromium, page):
    open_viewer(chromium, page)
    crop = find(chromium, "figure[data-x]")
    chromium.execute_script("arguments[0].scrollIntoView()", crop)
    find(crop, "img").click()
    settle(chromium)
    x, y, mpp = (float(crop.get_attribute(f"data-{name}")) for name in ("x", "y", "mpp"))
    assert place(chromium) == (x, y, mpp)
    assert chromium.execute_script(CENTRE) == pytest.approx([x * MPP, y * MPP], abs=1)
    assert chromium.execute_script("return scrollY") < crop.location["y"]


CENTRE = """
const point = document.getElementById("viewer").viewer.viewport.getCenter();
return [point.x, point.y];
"""


def test_keys_move_zoom_and_switch_layers_and_the_link_follows(chromium, page):
    open_viewer(chromium, page + "#at=800,600,0.5")
    assert place(chromium) == (800, 600, 0.5)
    canvas = find(chromium, ".zoom-stage [role=application]")
    canvas.send_keys("\ue014")  # right
    settle(chromium)
    x, y, mpp = place(chromium)
    assert (x > 800, y, mpp) == (True, 600, 0.5)
    canvas.send_keys("-")
    settle(chromium)
    zoomed_out = place(chromium)[2]
    assert zoomed_out > 0.5
    canvas.send_keys("0")
    settle(chromium)
    x, y, mpp = place(chromium)
    assert (x, y, mpp > zoomed_out) == (800, 600, True)
    canvas.send_keys("1")
    settle(chromium)
    assert is_near(colour(chromium, 0.4, 0.5), GREEN)


def test_a_link_opens_at_its_place_and_a_wrong_one_at_the_whole_slide(chromium, page):
    open_viewer(chromium, page + "#at=350,600,0.25")
    assert is_near(colour(chromium, 0.5, 0.5), mixed(CLASSES[0]))
    assert chromium.execute_script(CENTRE) == pytest.approx([350 * MPP, 600 * MPP], abs=1)
    open_viewer(chromium, page + "#at=1e9,x,-1")
    assert chromium.execute_script(CENTRE) == pytest.approx([400, 300], abs=1)


def test_the_buttons_zoom_and_the_scale_bar_agrees(chromium, page):
    open_viewer(chromium, page + "#at=800,600,1")
    assert find(chromium, ".zoom-bar").text == "100 µm"
    width = find(chromium, ".zoom-bar").size["width"]
    assert width == pytest.approx(100, abs=5)
    zoom_in = find_all(chromium, ".zoom-buttons button")[0]
    zoom_in.click()
    settle(chromium)
    assert find(chromium, ".zoom-bar").text == "50 µm"
    assert place(chromium) == (800, 600, 0.5)
