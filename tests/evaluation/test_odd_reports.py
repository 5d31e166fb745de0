"""Opens reports of odd results in the browser, and presses every button."""

import dataclasses
import math
import os
import re

import numpy as np
import pytest
from evaluation.report_contents import contents_of, record_of, score, write_blocks

from mavos_jax.evaluation.report import write_report
from mavos_jax.runtime.trees import fields_by_path

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PRESS = "selector => document.querySelectorAll(selector).forEach(node => node.click())"


def walk(page, contents):
    """Presses every button of every view; the texts of the sequences' pages."""
    texts = []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        names = page.locator(".sequences tbody a")
        assert names.count() == len(contents.benchmark.sequences)
        page.evaluate(PRESS, "button, summary")
        assert page.evaluate(OVERFLOW) == 0
        for position in range(names.count()):
            names.nth(position).click()
            page.wait_for_selector(".sequence")
            if page.locator(".player").count():
                page.wait_for_selector(".player[data-shown]")
            page.evaluate(PRESS, ".sequence button")
            assert page.evaluate(OVERFLOW) == 0
            texts.append(page.locator("main").inner_text())
            page.get_by_role("link", name="← All sequences").click()
    return texts


ODD_NAMES = (
    '"><img src=x onerror=alert(1)>',
    "100% & <!--<script>",
    "<script>alert(1)<!-- sequences -->{{style}} & 'x'",
    "__proto__",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj",
    os.fsdecode(b"cut \xff off"),
    "x" * 200,
    "..',;`${1}",
)


def odd_names(root):
    sequences = [write_blocks(root, name, 3) for name in ODD_NAMES]
    provenance = {"</script><img src=x>": "</script>"}
    return contents_of(root, sequences, title="</title><b>{{script}}", provenance=provenance)


def partly_scored(root):
    """One sequence is whole, one has half of its masks, one none; scores and times of one."""
    sequences = [write_blocks(root, name) for name in ("whole", "half", "none")]
    for name, first in (("half", 4), ("none", 0)):
        for index in range(first, 8):
            (root / "masks" / name / f"{index:05d}.png").unlink()
    contents = contents_of(root, sequences[:1])
    benchmark = dataclasses.replace(contents.benchmark, sequences=tuple(sequences))
    return dataclasses.replace(contents, benchmark=benchmark, network="")


def without_objects(root):
    nothing = np.zeros((24, 40), np.uint8)
    sequence = write_blocks(root, "empty", pairs=lambda t: (nothing, nothing))
    return contents_of(root, [sequence], scores=None, records=[record_of(sequence, {})])


def without_numbers(root):
    sequence = write_blocks(root, "nan")
    contents = contents_of(root, [sequence])
    first, second = score(root, sequence).objects
    nothing = (math.nan,) * len(first.frames)
    no_mean = second.scores.region._replace(mean=math.nan, decay=math.nan)
    objects = (
        first._replace(region=(math.nan, *first.region[1:])),
        second._replace(region=nothing, scores=second.scores._replace(region=no_mean)),
    )
    assert contents.scores is not None
    scores = contents.scores._replace(objects=objects, summary={"J&F-Mean": math.nan})
    return dataclasses.replace(contents, scores=scores)


def of_one_frame(root):
    return contents_of(root, [write_blocks(root, "still", 1)])


def of_many_objects(root):
    stripes = np.repeat(np.arange(20, dtype=np.uint8), 2)[None].repeat(24, axis=0)
    sequence = write_blocks(root, "crowd", 4, pairs=lambda t: (stripes, np.roll(stripes, t, 1)))
    return contents_of(root, [sequence])


@pytest.mark.parametrize(
    "make",
    [odd_names, partly_scored, without_objects, without_numbers, of_one_frame, of_many_objects],
)
def test_odd_results_open(make, tmp_path, open_page):
    contents = make(tmp_path)
    write_report(tmp_path / "report.html", contents)
    with open_page(tmp_path / "report.html") as page:
        assert page.title() == contents.title
        keys = page.locator(".provenance tr > :first-child").all_text_contents()
        assert keys == list(fields_by_path(contents.provenance))
        texts = walk(page, contents)
    for sequence, text in zip(contents.benchmark.sequences, texts, strict=False):
        assert f"\n{sequence.name[:9]}" in text


def test_five_hundred_sequences(tmp_path, open_page):
    """Tiles are drawn where the reader is, and nowhere else."""
    one = write_blocks(tmp_path, "0", 2)
    sequences = [dataclasses.replace(one, name=str(number)) for number in range(500)]
    for sequence in sequences[1:]:
        (tmp_path / "masks" / sequence.name).symlink_to(tmp_path / "masks/0")
    write_report(tmp_path / "report.html", contents_of(tmp_path, sequences, max_frames=500))
    with open_page(tmp_path / "report.html") as page:
        page.wait_for_selector(".tile[data-shown]")
        assert page.locator(".tile:visible").count() == 12
        page.get_by_role("button", name="Show all 500").click()
        page.locator(".tile", has_text="499").scroll_into_view_if_needed()
        page.wait_for_selector(".tile[title='499'][data-shown]")
        assert page.locator(".tile[data-shown]").count() < 150
        page.get_by_role("link", name=re.compile("^499, picture")).click()
        page.wait_for_selector(".player[data-shown]")
        assert page.locator("h1").text_content() == "499"
