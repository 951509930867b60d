"""The page of the cohort keeps what people note, and two slides move together; with and without a server."""

import shutil
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import drop_logs, find, find_all, requested
from stage_folders import make_folders

from lds_path.options.quality import ReportOptions
from lds_path.stages.report import report
from lds_path.viewing.server import make_server
from lds_path.viewing.site import open_site

SLIDES = ("a-1", "b-2", "c-3")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of two slides with labels, and of one that was never begun."""
    root = tmp_path_factory.mktemp("cohort") / "results"
    for slide, width in (("a-1", 900), ("b-2", 1400)):
        rgb = np.random.default_rng(width).integers(60, 200, (700, width, 3)).astype(np.uint8)
        labels, tissue = np.ones((700, width), np.uint8), np.ones((44, width // 16 + 1), bool)
        make_folders(root, slide, rgb, tissue, labels, tile={"slide_mpp": 0.5})
    report(root, root / "report", slides=SLIDES, options=ReportOptions(zoom="2"))
    return root


@pytest.fixture
def pages(results, tmp_path):
    """A copy of the report, which the browser remembers nothing of."""
    return shutil.copytree(results / "report", tmp_path / "report")


@pytest.fixture
def served(driver, results):
    """Chromium and the server of the results; afterwards only that was asked."""
    drop_logs(driver)
    with make_server(open_site(results), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield driver, server
        driver.get("about:blank")
        server.shutdown()
    assert driver.get_log("browser") == []
    asked = {urlsplit(url).netloc for url in requested(driver) if url.startswith("http")}
    assert asked == {f"127.0.0.1:{server.server_port}"}


def wait_for(condition):
    """Return what a condition gives once it is true."""
    for _ in range(300):
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail("nothing came of it within half a minute")


def note(driver, slide, remark):
    form = find(driver, f"form[data-slide='{slide}']")
    find(form, "[name=reviewed]").click()
    find(form, "[name=remark]").send_keys(remark, "\ue004")  # tab
    wait_for(lambda: find(form, "output").text)
    return find(form, "output").text


def test_notes_stay_in_the_browser_and_can_be_saved_as_a_table(chromium, pages, tmp_path):
    chromium.get((pages / "slides" / "a-1.html").as_uri())
    assert note(chromium, "a-1", "=a fold") == "kept in this browser"
    chromium.get((pages / "index.html").as_uri())
    assert find(chromium, "#reviewed").text == "1 of 3 reviewed"
    assert find(chromium, "form[data-slide='a-1'] [name=remark]").get_property("value") == "=a fold"
    saved = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", saved)
    find(chromium, "#reviews-tsv").click()
    table = tmp_path / "reviews.tsv"
    wait_for(table.exists)
    header, row = table.read_text(encoding="utf-8").splitlines()
    assert header.split("\t") == ["slide", "reviewed", "remark", "result", "noted"]
    assert row.split("\t")[:3] == ["a-1", "yes", "'=a fold"]


def test_the_contact_sheet_follows_the_filter_and_n_and_p_the_order(chromium, pages):
    chromium.get((pages / "index.html").as_uri())
    find(chromium, "#filter").send_keys("b-2")
    shown = lambda: [
        card.get_attribute("data-slide")
        for card in find_all(chromium, ".sheet li")
        if card.is_displayed()
    ]
    assert wait_for(lambda: shown() == ["b-2"])
    chromium.get((pages / "slides" / "a-1.html").as_uri())
    find(chromium, "body").send_keys("n")
    assert wait_for(lambda: chromium.current_url.endswith("/slides/b-2.html"))
    find(chromium, "body").send_keys("p")
    assert wait_for(lambda: chromium.current_url.endswith("/slides/a-1.html"))


VIEWS = """
return ["left", "right"].map((id) => {
  const viewer = document.getElementById(id).viewer;
  if (!viewer || viewer.world.getItemCount() < 3) return null;
  const { x, y, width } = viewer.viewport.getBounds(true);
  return [x + width / 2, y, width / viewer.viewport.getContainerSize().x];
});
"""


def views(driver):
    found = driver.execute_script(VIEWS)
    return None if None in found else np.array(found)


def test_two_slides_are_moved_together_at_the_same_magnification(chromium, pages):
    chromium.get((pages / "compare.html").as_uri() + "#left=b-2&right=a-1")
    before = wait_for(lambda: views(chromium) is not None) and views(chromium)
    assert before[0, 2] == pytest.approx(before[1, 2], rel=0.01)
    find(chromium, "#left [aria-label='Zoom in']").click()
    find(chromium, "#left [role=application]").send_keys("\ue014")  # right
    time.sleep(2)
    after = views(chromium)
    assert after[0, 2] == pytest.approx(before[0, 2] / 2, rel=0.05)
    assert after[1, 2] == pytest.approx(after[0, 2], rel=0.01)
    moved = after[:, 0] - before[:, 0]
    assert moved[0] > 1
    assert moved[0] == pytest.approx(moved[1], rel=0.05)


def test_a_served_page_shows_full_resolution_and_saves_notes(served, results):
    driver, server = served
    driver.get(f"http://127.0.0.1:{server.server_port}{server.base}report/slides/b-2.html")
    width = "return document.getElementById('viewer').viewer?.world.getItemAt(0)?.source.width"
    assert wait_for(lambda: driver.execute_script(width)) == 1400  # the report has 350
    assert note(driver, "b-2", "ü & <b>") == "saved"
    _, row = (results / "reviews.tsv").read_text(encoding="utf-8").splitlines()
    assert row.split("\t")[:3] == ["b-2", "yes", "ü & <b>"]
    driver.get(server.address)
    assert wait_for(lambda: find(driver, "#reviewed").text == "1 of 3 reviewed")
