from pathlib import Path

import pytest

from lds_path.errors import UsageError
from lds_path.run.sheet import COLUMNS, read_sheet


def write(folder: Path, text: str) -> Path:
    path = folder / "slides.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_relative_paths_start_from_the_sheets_folder(tmp_path):
    sheet = read_sheet(write(tmp_path, "slide\tpath\tlabels\na\tin/a.svs\tb.geojson\n"))
    assert sheet.loc["a", "path"] == str(tmp_path / "in" / "a.svs")
    assert sheet.loc["a", "labels"] == str(tmp_path / "b.geojson")
    assert sheet.loc["a", "roi"] == ""


def test_the_address_of_a_slide_stays_as_it_is(tmp_path):
    sheet = read_sheet(write(tmp_path, "slide\tpath\na\ts3://b/c d/a.svs\nb\tHTTPS://H/b.svs\n"))
    assert list(sheet["path"]) == ["s3://b/c d/a.svs", "https://h/b.svs"]


def test_another_base_moves_relative_paths_and_leaves_absolute_ones(tmp_path):
    path = write(tmp_path, "slide\tpath\na\ta.svs\nb\t/data/b.svs\n")
    sheet = read_sheet(path, base=tmp_path / "elsewhere")
    assert list(sheet["path"]) == [str(tmp_path / "elsewhere" / "a.svs"), "/data/b.svs"]


def test_paths_may_hold_anything_but_a_tab(tmp_path):
    name = 'my "slides" #2 (x)\'; $(rm) ü.svs'
    assert read_sheet(write(tmp_path, f"slide\tpath\na\t/{name}\n")).loc["a", "path"] == f"/{name}"


def test_mpp_is_a_number_or_absent(tmp_path):
    sheet = read_sheet(write(tmp_path, "slide\tpath\tmpp\na\ta\t0.25\nb\tb\t\n"))
    assert sheet.loc["a", "mpp"] == 0.25
    assert sheet["mpp"].isna().tolist() == [False, True]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    assert list(read_sheet(write(tmp_path, "\ufeffslide\tpath\r\na\ta.svs\r\n")).index) == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slide\tpath\na/b\tx\n", "the slide id 'a/b' names files"),
        ("slide\tpath\na b\tx\n", "the slide id 'a b' names files"),
        ("slide\tpath\n..\tx\n", "the slide id '..' names files"),
        ("slide\tpath\n\tx\n", "the slide id '' names files"),
        ("slide\tpath\na\tx\na\ty\n", "lists the slide id 'a' twice"),
        (
            "slide\tpath\na\tx\nA\ty\n",
            "lists the slide ids 'a' and 'A', which differ only in capitals",
        ),
        ("slide\tpath\na\t\n", "slide 'a' has no path"),
        ("slide\tpath\tmpp\na\tx\tsmall\n", "the mpp 'small' is not a number"),
        (
            "slide\tpath\ttissue_threshold\na\tx\tpale\n",
            "the tissue_threshold 'pale' is not a number; give the least optical density of tissue",
        ),
        ("slide\tpath\tsplit\na\tx\tdev\n", "split 'dev' is unknown; use one of train, tune, test"),
        (
            "slide\tpath\tmmp\na\tx\t1\n",
            "has the unknown column 'mmp'; did you mean 'mpp'? Rename it",
        ),
        ("slide\tpath\tSlide\na\tx\tb\n", "has the column 'slide' twice"),
        ("slide\tpath\tstain\tstain\na\tx\tb\tc\n", "has the column 'stain' twice"),
        ("slide\tpath\tsplit\na\tx\ttrian\n", "split 'trian' is unknown; did you mean 'train'?"),
        ('slide,path\na,"x\ny"\n', "has a cell with a line break"),
        (
            "slide\tpath\tsplit\tpatient\na\tx\ttrain\tP 1\nb\ty\ttrain\tP 1\nc\tz\ttest\tP 1\n",
            "the patient 'P 1' is in the splits train (a, b) and test (c); put all slides",
        ),
        (
            "slide\tpath\tsplit\tpatient\na\tx\ttrain\tp1\nb\ty\ttest\tP1\n",
            "the patient 'p1' is in the splits train (a) and test (b)",
        ),
        (
            "slide\tpath\tsplit\na\tx/y.tif\ttrain\nb\t./x/../x/y.tif\ttune\n",
            "the file 'x/y.tif' is in the splits train (a) and tune (b); put all slides of a file",
        ),
        ("a\ta.svs\nb\tb.svs\n", "has no column 'slide' (it has a, a.svs)"),
        ("slide path\na a.svs\n", "tabs, semicolons or commas between the columns"),
        ("slide\tpath\tmpp\na\ta.svs\t0,25\n", "the mpp '0,25' is not a number"),
        ("slide\tpath\n\t\n", "lists no slide"),
        ("slide\tmpp\na\t1\n", "has no column 'path'"),
        ("slide\tpath\n", "lists no slide"),
        ("", "is not a table"),
        ("slide\tpath\na\tx\ty\tz\n", "has a line with more cells than the header"),
        (
            "slide\tpath\na\tftp://x/a.svs\n",
            "line 2: slide 'a': an address that begins with ftp://",
        ),
        (
            "slide\tpath\na\ts3://b/a.svs?v=1\n",
            "slide 'a': the address of s3://b/a.svs has a part after ?",
        ),
        (
            "slide\tpath\troi\na\ts3://b/a.svs\thttps://h/a.geojson\n",
            "line 2: the roi of slide 'a' is an address; only slides are read from a server: copy",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path, text, message):
    with pytest.raises(UsageError) as caught:
        read_sheet(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "slide",
    [
        "../a", "a/../../b", "/etc", ".", "..", ".a", "-rf", "~", "a;b", "a b", "a$(b)", "`a`", "a'b",
        'a"b', "a|b", "a>b", "a&b", "a*", "a?", "a\\b", "{slide}", "<results>", "a%b", "a\u2028b",
        "a\x0bb", "ä", "\u0430", "a\u202e", "a" * 101, "a\0b",
    ],
)  # fmt: skip
def test_an_id_that_is_no_plain_name_is_refused(tmp_path, slide):
    with pytest.raises(UsageError, match=r"the slide id .* names files and folders"):
        read_sheet(write(tmp_path, f"slide\tpath\n{slide}\tx.svs\n"))


def test_a_line_break_in_a_cell_starts_another_line_that_is_checked(tmp_path):
    with pytest.raises(UsageError, match="line 3: the slide id '; rm' names files"):
        read_sheet(write(tmp_path, 'slide\tpath\na\t"x\n; rm\t"\n'))


@pytest.mark.parametrize("column", ["path", "labels", "roi"])
def test_a_null_character_in_a_path_is_refused(tmp_path, column):
    row = {"slide": "a", "path": "x", "labels": "", "roi": ""} | {column: "x\0y"}
    with pytest.raises(UsageError, match="has a null character"):
        read_sheet(write(tmp_path, "\t".join(row) + "\n" + "\t".join(row.values()) + "\n"))


def test_slides_without_a_patient_or_a_split_are_accepted(tmp_path):
    rows = ["a\tx\ttrain\tP", "b\tx\t\tP", "c\tx\ttrain\t", "d\ty\ttest\t", "e\tx\ttrain\tP"]
    sheet = read_sheet(write(tmp_path, "\n".join(["slide\tpath\tsplit\tpatient", *rows])))
    assert len(sheet) == 5


def test_two_parts_of_one_file_may_be_in_two_splits(tmp_path):
    rows = "slide\tpath\tsplit\troi\na\tx\ttrain\tleft.geojson\nb\tx\ttune\tright.geojson\n"
    assert len(read_sheet(write(tmp_path, rows))) == 2


def test_cells_missing_at_the_end_of_a_line_are_empty(tmp_path):
    assert read_sheet(write(tmp_path, "slide\tpath\tlabels\na\tx\n")).loc["a", "labels"] == ""


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('"case 1, left.svs"', "case 1, left.svs"),
        ('"5"" core.svs"', '5" core.svs'),
        ('a"b"', 'a"b"'),
    ],
)
def test_quotes_that_a_spreadsheet_puts_around_a_cell_are_not_part_of_it(tmp_path, cell, name):
    sheet = read_sheet(write(tmp_path, f"slide\tpath\tmpp\r\na\t{cell}\t0.25\r\n"))
    assert sheet.loc["a", "path"] == str(tmp_path / name)
    assert sheet.loc["a", "mpp"] == 0.25


@pytest.mark.parametrize(
    "cell", ["scans\\a.svs", "~/a.svs", "%USERPROFILE%/a.svs", "a.svs#1", "$HOME/a.svs"]
)
def test_a_path_means_what_it_says(tmp_path, cell):
    sheet = read_sheet(write(tmp_path, f"slide\tpath\na\t{cell}\n"))
    assert sheet.loc["a", "path"] == f"{tmp_path}/{cell}"


@pytest.mark.parametrize(
    ("table", "ids"),
    [
        ("slide\tpath\ra\ta.svs\rb\tb.svs\r", ["a", "b"]),
        ("slide\tpath\n001\ta.svs\n1e3\tb.svs\n", ["001", "1e3"]),
        ("slide\tpath\na\u00a0\ta.svs\n", ["a"]),
    ],
    ids=["carriage returns", "numbers", "no-break space"],
)
def test_ids_are_read_as_they_are_written(tmp_path, table, ids):
    path = tmp_path / "slides.tsv"
    path.write_bytes(table.encode())
    assert list(read_sheet(path).index) == ids


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize(
    "text",
    [
        "slide\tpath\tmpp\r\na\tPräparat, 1.svs\t0.25\r\n",
        'Slide,PATH,mpp\r\na,"Präparat, 1.svs",0.25\r\n',
        "slide;path; MPP \r\na;Präparat, 1.svs;0,25\r\n",
        '"slide"\t"Path"\t"mpp"\r\na\t"Präparat, 1.svs"\t0.25\r\n',
    ],
    ids=["tabs", "commas", "semicolons", "quotes"],
)
def test_a_sheet_is_read_as_spreadsheets_save_it(tmp_path, text, encoding):
    path = tmp_path / "slides.csv"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + text).encode(encoding))
    sheet = read_sheet(path)
    assert sheet.loc["a", "path"] == str(tmp_path / "Präparat, 1.svs")
    assert sheet.loc["a", "mpp"] == 0.25


def test_columns_of_the_users_own_are_kept_as_they_are(tmp_path):
    text = "slide,path,Diagnosis,stain,patient age\na,a.svs,adenoma,PAS,071\nb,b.svs,,H&E,\n"
    sheet = read_sheet(write(tmp_path, text))
    assert list(sheet.columns[len(COLUMNS) :]) == ["Diagnosis", "patient age"]
    assert list(sheet["Diagnosis"]) == ["adenoma", ""]
    assert list(sheet["patient age"]) == ["071", ""]


def test_another_encoding_is_told_from_a_bad_table(tmp_path):
    path = tmp_path / "slides.tsv"
    path.write_bytes("slide\tpath\r\na\tPräparat 1.svs\r\n".encode("cp1252"))
    with pytest.raises(UsageError, match=r"slides.tsv is not .* in UTF-8 .*; save it as UTF-8"):
        read_sheet(path)


def test_empty_rows_and_columns_are_left_out_and_lines_are_counted_all_the_same(tmp_path):
    table = "slide\tpath\tmpp\t\t\r\n\t\t\t\t\r\na\ta.svs\t0.25\t\t\r\n\t\t\r\n"
    assert list(read_sheet(write(tmp_path, table)).index) == ["a"]
    with pytest.raises(UsageError, match="line 5: the slide id 'b b'"):
        read_sheet(write(tmp_path, table + "b b\tb.svs\r\n"))


def test_a_line_whose_id_is_a_remark_lists_no_slide(tmp_path):
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("path\tslide\n# 1.svs\ta\nb.svs\t# b\n# from Monday\t# on\n")
    assert read_sheet(sheet)["path"].to_dict() == {"a": str(tmp_path / "# 1.svs")}
    sheet.write_text("slide\tpath\n# a\ta.svs\nno id\tb.svs\n")
    with pytest.raises(UsageError, match="line 3: the slide id 'no id'"):
        read_sheet(sheet)
    sheet.write_text("slide\tpath\n#12\ta.svs\n")
    with pytest.raises(UsageError, match="line 2: the slide id '#12'"):
        read_sheet(sheet)
    sheet.write_text("slide\tpath\n# a\ta.svs\n")
    with pytest.raises(UsageError, match="lists no slide; add one line a slide"):
        read_sheet(sheet)


def test_cells_below_no_name_are_refused(tmp_path):
    with pytest.raises(UsageError, match="has cells in column 3, which has no name"):
        read_sheet(write(tmp_path, "slide\tpath\t\na\ta.svs\t0.25\n"))


def test_a_missing_sheet_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.tsv does not exist; set `slides`"):
        read_sheet(tmp_path / "nowhere.tsv")


def test_a_binary_file_is_not_a_sheet(tmp_path):
    path = tmp_path / "slides.tsv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match="is not a table"):
        read_sheet(path)


def test_a_column_like_stain_is_the_users_own(tmp_path):
    path = tmp_path / "slides.tsv"
    path.write_text("slide\tpath\tstrain\tStain\na\tx\tC57BL\tPAS\n")
    sheet = read_sheet(path)
    assert (sheet["strain"].iloc[0], sheet["stain"].iloc[0]) == ("C57BL", "PAS")
    path.write_text("slide\tpath\tstrain\na\tx\tC57BL\n")
    assert read_sheet(path)["stain"].tolist() == [""]


def test_two_scenes_of_a_file_may_be_in_two_splits(tmp_path):
    head, rows = "slide\tpath\tscene\tsplit\n", "a\tx.tif\t0\ttrain\nb\tx.tif\t{}\ttest\n"
    assert list(read_sheet(write(tmp_path, head + rows.format(1)))["scene"]) == ["0", "1"]
    with pytest.raises(UsageError, match="is in the splits train"):
        read_sheet(write(tmp_path, head + rows.format(0)))


@pytest.mark.parametrize("name", ["score", "gene", "scan", "stage"])
def test_a_word_that_is_somewhat_like_a_column_is_one_of_the_users_own(tmp_path, name):
    assert read_sheet(write(tmp_path, f"slide\tpath\t{name}\na\tx\t1\n")).loc["a", name] == "1"


@pytest.mark.parametrize("name", ["scenes", "secne", "sceen", "scane"])
def test_a_misspelt_scene_is_told(tmp_path, name):
    with pytest.raises(UsageError, match="did you mean 'scene'"):
        read_sheet(write(tmp_path, f"slide\tpath\t{name}\na\tx\t1\n"))
