"""Opens the report in a headless Chromium and uses it as a reader would."""

import pytest
from evaluation.report_contents import contents_of, write_blocks

from mavos_jax.evaluation.report import write_report
from mavos_jax.media.confidence import confidence_writer
from mavos_jax.media.masks import voc_palette

BOLD = "<b>bold</b> & co"
NOTHING = "\N{EN DASH}"  # in a cell without a value
EXTRA, MISSED, SWAPPED = (255, 92, 70), (64, 160, 255), (255, 214, 10)


@pytest.fixture
def report(tmp_path, open_page):
    sequences = [
        write_blocks(tmp_path, name, length, labelled=name != "hidden")
        for name, length in ((BOLD, 8), ("short", 6), ("hidden", 8))
    ]
    with confidence_writer(tmp_path / f"confidence/{BOLD}.csv") as add:
        for t in range(8):
            add(f"{t:05d}", {1: (0.5, 0.2, True)} | ({2: (1 - t / 10, 0.2, True)} if t else {}))
    contents = contents_of(tmp_path, sequences, confidence=tmp_path / "confidence")
    write_report(tmp_path / "report.html", contents)
    with open_page(tmp_path / "report.html") as page:
        yield page


PIXEL = """([view, column, row]) => {
  const canvas = document.querySelector(`figure[data-view=${view}] canvas`);
  const copy = document.createElement("canvas");
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, -column, -row);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""


def colour_at(page, view, column, row):
    return tuple(page.evaluate(PIXEL, [view, column, row]))


def wait_for_colour(page, view, column, row, colour):
    script = f"([colour, ...place]) => String(({PIXEL})(place)) === String(colour)"
    page.wait_for_function(script, arg=[colour, view, column, row])


def wait_for_frame(page, frame):
    page.wait_for_selector(f'.player[data-shown="{frame}"]')


def open_sequence(page, name):
    page.get_by_role("link", name=name, exact=True).click()
    wait_for_frame(page, 0)


def column_values(page, name):
    heads = page.locator(".sequences thead tr:not(.groups) th")
    index = heads.evaluate_all("(all, name) => all.findIndex(h => h.dataset.column === name)", name)
    cells = page.locator(f".sequences tbody tr > *:nth-child({index + 1})")
    return [text.strip() for text in cells.all_text_contents()]


def test_sorting(report):
    assert column_values(report, "name") == [BOLD, "short", "hidden"]
    button = report.get_by_role("button", name="sort by J mean")
    head = report.locator('th[data-column="J"]')
    assert head.get_attribute("aria-sort") == "none"
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    ascending = column_values(report, "J")
    assert float(ascending[0]) < float(ascending[1])
    assert ascending[2] == NOTHING
    button.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column_values(report, "J") == [ascending[1], ascending[0], NOTHING]
    report.get_by_role("button", name="sort by FPS aot").click()
    assert head.get_attribute("aria-sort") == "none"
    assert column_values(report, "FPS aot") == ["30.0", "37.0", "44.0"]


def test_scrubbing_shows_the_colours_of_the_frame(report):
    report.locator(".sequences tbody tr").nth(0).locator("td").nth(0).click()
    wait_for_frame(report, 0)
    assert report.locator("h1").text_content() == BOLD
    report.get_by_role("slider", name="Opacity of masks").fill("100")
    wait_for_colour(report, "truth", 34, 18, voc_palette()[2].tolist())
    scrubber = report.get_by_role("slider", name="Frame")
    for _ in range(6):
        scrubber.press("ArrowRight")
    wait_for_frame(report, 6)
    assert "00006" in report.locator("output").text_content()
    assert scrubber.get_attribute("aria-valuetext") == "00006 · frame 7 of 8"
    image = colour_at(report, "image", 22, 5)
    assert max(abs(a - b) for a, b in zip(image, (60, 120, 200), strict=True)) <= 3
    first, second = (tuple(voc_palette()[number].tolist()) for number in (1, 2))
    assert colour_at(report, "prediction", 10, 5) == first
    assert colour_at(report, "prediction", 34, 5) == second
    assert colour_at(report, "prediction", 34, 18) == first
    assert colour_at(report, "prediction", 22, 5) == image
    assert colour_at(report, "truth", 34, 18) == second
    assert colour_at(report, "errors", 1, 5) == MISSED
    assert colour_at(report, "errors", 18, 5) == EXTRA
    assert colour_at(report, "errors", 34, 18) == SWAPPED
    assert len(set(colour_at(report, "errors", 10, 5))) == 1
    shares = report.locator(".legend .share").all_text_contents()
    assert shares == ["10.00 %", "10.00 %", "15.00 %"]
    report.get_by_role("slider", name="Opacity of masks").fill("0")
    wait_for_colour(report, "prediction", 10, 5, image)


def test_playing_and_clicking_the_curve(report):
    open_sequence(report, BOLD)
    height = report.evaluate("document.documentElement.scrollHeight")
    report.get_by_role("button", name="Play").click()
    wait_for_frame(report, 7)
    report.get_by_role("button", name="Play").wait_for()
    curve = report.locator("svg.curve")
    box = curve.bounding_box()
    left, right = 38, 12  # of the plot in the drawing
    x = left + (box["width"] - left - right) * 3 / 7
    curve.click(position={"x": x, "y": 60})
    wait_for_frame(report, 3)
    assert float(report.locator("line.cursor").get_attribute("x1")) == pytest.approx(x, abs=1)
    assert report.evaluate("document.documentElement.scrollHeight") == height
    assert report.locator("path.vanishes").get_attribute("data-frame") == "3"
    assert report.locator("path.returns").get_attribute("data-frame") == "5"
    report.locator("h1").focus()
    report.keyboard.press("ArrowLeft")
    wait_for_frame(report, 2)
    assert report.locator("polyline.line").count() == 2
    report.get_by_role("button", name="1", exact=True).click()
    assert report.locator("polyline.line").count() == 1
    report.get_by_role("link", name="← All sequences").click()
    report.locator("table.sequences tbody tr").nth(2).wait_for()
    assert report.locator("table.sequences tbody tr").count() == 3


def test_confidence_lies_dotted_under_the_scores_where_it_is_known(report):
    open_sequence(report, BOLD)
    first, second = report.locator("polyline.sure").all()
    heights = {float(place.split(",")[1]) for place in first.get_attribute("points").split()}
    top, bottom = 10, 200  # of the plot in the drawing
    assert heights == {(top + bottom) / 2}
    places = [float(place.split(",")[1]) for place in second.get_attribute("points").split()]
    assert places == pytest.approx([top + (bottom - top) * t / 10 for t in range(1, 8)], abs=0.06)
    for number, line in (("1", first), ("2", second)):
        scores = report.locator(f"polyline.line[data-object='{number}']")
        assert scores.get_attribute("stroke") == line.get_attribute("stroke")
    assert report.get_by_text("wrong without knowing it").is_visible()
    report.get_by_role("button", name="1", exact=True).click()
    assert report.locator("polyline.sure").count() == 1
    report.get_by_role("link", name="← All sequences").click()
    open_sequence(report, "short")
    assert report.locator("polyline.line").count() == 2
    assert report.locator("polyline.sure").count() == 0
    assert report.get_by_text("wrong without knowing it").count() == 0


def shown_tiles(page):
    tiles = page.locator(".tile[data-shown]")
    tiles.nth(2).wait_for()
    return tiles.evaluate_all("tiles => tiles.map(tile => [tile.title, tile.dataset.shown])")


def test_pictures_of_the_worst_come_first_and_lead_to_their_frame(report):
    scores = dict(zip(column_values(report, "name"), column_values(report, "J&F"), strict=True))
    assert scores["hidden"] == NOTHING
    by_score = sorted(("short", BOLD), key=lambda name: float(scores[name]))
    # The hidden one has no scores, and shows its middle.
    assert shown_tiles(report) == [[by_score[0], "1"], [by_score[1], "1"], ["hidden", "4"]]
    report.get_by_role("button", name="name", exact=True).click()
    report.get_by_role("button", name="last", exact=True).click()
    report.wait_for_selector(".tile[title=short][data-shown='5']")
    report.locator(".tile[data-shown='7']").nth(1).wait_for()
    assert shown_tiles(report) == [[BOLD, "7"], ["short", "5"], ["hidden", "7"]]
    report.get_by_role("link", name="short, picture of frame 00005").press("Enter")
    wait_for_frame(report, 5)
    report.get_by_role("button", name="Worst frame: 00001").click()
    wait_for_frame(report, 1)
    report.go_back()
    assert report.evaluate("document.activeElement.textContent") == "short"
    assert len(shown_tiles(report)) == 3


def test_without_truth_only_image_and_prediction_are_shown(report):
    open_sequence(report, "hidden")
    assert report.locator("figcaption").all_text_contents() == ["Image", "Prediction"]
    assert report.get_by_text("There are no labels beyond the given masks").is_visible()
    assert report.locator("svg.curve").count() == 0
