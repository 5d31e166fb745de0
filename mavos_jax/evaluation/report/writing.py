"""Writes a report: one page that needs no other file, nor a network."""

import collections
import functools
import html
import importlib.resources
import json
import math
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.evaluation.reading import mask_path, read_result
from mavos_jax.evaluation.report import overview, pictures
from mavos_jax.media.confidence import read_confidence
from mavos_jax.media.masks import voc_palette
from mavos_jax.runtime.files import written_whole
from mavos_jax.scores.metrics import ObjectResult

_SCRIPTS = (
    *("elements", "pictures", "gallery", "overview"),
    *("lines", "curve", "player", "sequence", "start"),
)
_SEQUENCES_MARK = "<!-- sequences -->"
_MAX_THREADS = 8


def write_report(path: Path, contents: overview.ReportContents) -> None:
    """Writes a report, an .html whose pictures are parsed when their sequence is opened."""
    sequences = contents.benchmark.sequences
    finished = [contents.finished_frames(sequence) for sequence in sequences]
    shares = pictures.share_budget([len(frames) for frames in finished], contents.max_frames)
    head, tail = _page(contents.title, overview.overview(contents, finished, shares))
    results = contents.results()
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(head)
        for index, sequence in enumerate(sequences):
            own = results.get(sequence.name, [])
            labelled = overview.labelled_frames(sequence)
            chosen = pictures.choose_frames(finished[index], own, labelled, shares[index])
            block = _as_json(_sequence(contents, sequence, own, chosen))
            file.write(f'<script type="application/json" id="sequence-{index}">{block}</script>\n')
        file.write(tail)


def _page(title: str, data: overview.Plain) -> tuple[str, str]:
    """Returns the page up to the sequences' blocks, and what follows them."""
    folder = importlib.resources.files("mavos_jax.evaluation.report") / "page"

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    parts = {
        # A file's name may hold bytes that are no text; JSON escapes them.
        "title": html.escape(title.encode(errors="replace").decode()),
        "style": read("style.css"),
        "overview": _as_json(data),
        "script": "\n".join(read(f"{name}.js") for name in _SCRIPTS),
    }
    template = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], read("page.html"))
    head, _, tail = template.rpartition(_SEQUENCES_MARK)
    return head, tail


def _as_json(data: object) -> str:
    """JSON that cannot end the element it stands in, whatever names it holds."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _sequence(
    contents: overview.ReportContents,
    sequence: SequenceFiles,
    results: Sequence[ObjectResult],
    frames: Sequence[int],
) -> overview.Plain:
    labelled = overview.labelled_frames(sequence)
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as threads:
        make = functools.partial(
            pictures.make_picture, contents.benchmark, contents.masks, sequence, contents.width
        )
        made = list(threads.map(lambda t: make(t, with_truth=t in labelled), frames))
    size, palette = (1, 1), None
    if frames:
        first, palette = read_result(mask_path(contents.masks, sequence, frames[0]))
        size = first.shape
    colours = voc_palette() if palette is None else palette
    scored = {result.id: result for result in results}
    sure = _confidence(contents, sequence) if results else {}
    ids = sorted({*scored}.union(*(shown for _, shown in made)))
    return {
        "num_frames": len(sequence.frames),
        "picture_size": pictures.picture_size(size, contents.width),
        "pictures": [picture for picture, _ in made],
        "objects": [
            {
                "id": number,
                "colour": colours[number].tolist(),
                "category": sequence.categories.get(number),
                **(_curve(scored[number], sure.get(number)) if number in scored else {}),
            }
            for number in ids
        ],
    }


def _confidence(
    contents: overview.ReportContents, sequence: SequenceFiles
) -> dict[int, list[float | None]]:
    """Reads the confidence in each object by id, an entry for each frame, None where unknown."""
    path = contents.confidence and contents.confidence / f"{sequence.name}.csv"
    if path is None or not path.is_file():
        return {}
    count = len(sequence.frames)
    frames = {sequence.frame_name(index): index for index in range(count)}
    found: dict[int, list[float | None]] = collections.defaultdict(lambda: [None] * count)
    for frame, number, confidence in read_confidence(path):
        if math.isfinite(confidence):
            found[number][frames[frame]] = round(confidence, 3)
    return found


def _curve(result: ObjectResult, confidence: list[float | None] | None) -> overview.Plain:
    values = zip(result.frames, result.region, result.boundary, result.is_visible, strict=True)
    known = [row for row in values if math.isfinite(row[1] + row[2])]
    return {
        "frames": [frame for frame, *_ in known],
        "J": [round(region, 4) for _, region, _, _ in known],
        "F": [round(boundary, 4) for _, _, boundary, _ in known],
        "confidence": confidence,
        "is_visible": [int(seen) for *_, seen in known],
        "changes": list(pictures.changes(result).items()),
        "means": overview.score_columns([result]),
        "is_unseen": result.is_unseen,
    }
