from pathlib import Path

import pytest
from page import write_section

PAGE = (
    "# Page\n\n<!-- a:begin -->\nold\n<!-- a:end -->\n\nby hand\n\n<!-- b:begin --><!-- b:end -->\n"
)


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for text in ("first", "second\n"):
        write_section(page, "a", text)
    assert page.read_text() == PAGE.replace("old", "second")


def test_a_page_without_the_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(ValueError, match="c:begin"):
        write_section(page, "c", "text")
    assert page.read_text() == PAGE
