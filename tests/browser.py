"""Chromium without a window, and what tests of pages ask it."""

from __future__ import annotations

import json
import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Chromium without a window, in a profile of its own."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium here; install the packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture
def chromium(driver):
    """Chromium; afterwards it must have complained about nothing and asked nobody."""
    driver.set_window_size(1300, 1000)
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    drop_logs(driver)
    yield driver
    assert driver.get_log("browser") == []
    assert [url for url in requested(driver) if not url.startswith(("file:", "data:"))] == []


def drop_logs(driver):
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")


def requested(driver):
    messages = [json.loads(item["message"])["message"] for item in driver.get_log("performance")]
    return [
        item["params"]["request"]["url"]
        for item in messages
        if item["method"] == "Network.requestWillBeSent"
    ]


def find(driver, selector):
    return driver.find_element("css selector", selector)


def find_all(driver, selector):
    return driver.find_elements("css selector", selector)
