"""The folder that the results of one video go to."""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from mavos_jax.evaluation.results_json import RESULTS_JSON, write_results_json
from mavos_jax.media.confidence import Judged, confidence_writer
from mavos_jax.media.frames import FrameSource
from mavos_jax.media.masks import write_mask
from mavos_jax.media.results import draw_overlay, is_marked, png_mark, video_writer, write_picture
from mavos_jax.media.video_file import import_av
from mavos_jax.runtime.files import LockFile, WriteBehind, inside, require_writable_parent

Overlay = Literal["none", "pictures", "video"]

_MAX_NAMED = 1_000_000  # frames whose places are looked at beforehand; headers may declare more
_LEFTOVER = re.compile(r"\..+\.(png|jpg|mp4|json|csv)\.[0-9]+\.partial")
_CONFIDENCE = "confidence.csv"
_DEFAULT_RATE = Fraction(24)  # frames per second of a video made from pictures that carry no time


class FrameWriter(NamedTuple):
    """Writes what there is of a frame, given its name."""

    frame: Callable[[str, np.ndarray, np.ndarray], None]
    """In the background the results made from the frame, uint8 RGB [H, W, 3], and its ids, uint8
    [H, W]; raises what an earlier write raised."""
    judged: Callable[[str, Judged, Mapping[int, np.ndarray]], None]
    """A row for each object in the CSV of confidence, which gets its name at the end; and in the
    background the soft masks that there are by id."""


class OutputFolder:
    """Where the results of one video go: a folder that need not exist until the first is written.

    With ``overwrite`` the first result removes those of earlier runs, but nothing that no run wrote
    or somebody changed since. ``inputs`` must not lie where results go.
    """

    def __init__(
        self,
        root: Path,
        overlay: Overlay = "none",
        *,
        overwrite: bool = False,
        frames: bool = False,
        rle: bool = False,
        inputs: Iterable[Path] = (),
    ) -> None:
        self.root, self.overlay = root, overlay
        self._overwrites, self._keeps_frames, self._rle = overwrite, frames, rle
        if overlay == "video":
            import_av(self.overlay_video)
        for name in ("masks/00000.png", "overlays/00000.jpg", *["frames/00000.png"] * frames):
            require_writable_parent(inside(root, root / name))
        if (root / "config.json").is_file() and (root / "weights").is_dir():
            raise ValueError(
                f"{root}: expected a folder for results, found a checkpoint; give another --output"
            )
        self._require_apart(inputs)
        found = self._results()
        if found and not overwrite:
            raise ValueError(
                f"{root}: expected a folder without results, found {min(found)}; "
                "give another --output, or --overwrite to replace the results there"
            )

    @property
    def overlay_video(self) -> Path:
        """The video of overlays."""
        return self.root / "overlay.mp4"

    @contextlib.contextmanager
    def writer(self, frames: FrameSource, palette: np.ndarray | None) -> Iterator[FrameWriter]:
        """Yields what writes the results of the frames."""
        written: list[Path] = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(_alone_in(self.root))
            marked, others = set[Path](), set[Path]()
            for path in self._results(with_frames=self._keeps_frames):
                (marked if self._overwrites and is_marked(path) else others).add(path)
            numbers: Iterable[int] = range(min(frames.num_frames or 0, _MAX_NAMED) if others else 0)
            if frames.num_frames is None:
                numbers = (int(path.stem) for path in others if path.stem.isdecimal())
            for index in numbers:
                _require_free(self._places(frames.name(index)), others)
            table = self.root / _CONFIDENCE
            _require_free([table, *[self.root / RESULTS_JSON] * self._rle], others)
            add = None
            if self.overlay == "video":
                _require_free([self.overlay_video], others)
                rate = frames.frame_rate or _DEFAULT_RATE
                video = inside(self.root, self.overlay_video)
                add = stack.enter_context(video_writer(video, frames.size, rate, is_marked=True))
            outdated = marked | (self._leftovers() if self._overwrites else set())

            def make_room(*places: Path) -> None:
                while outdated:
                    inside(self.root, outdated.pop()).unlink(missing_ok=True)
                _require_free(places, others)

            def write(name: str, frame: np.ndarray, ids: np.ndarray) -> None:
                mask, *pictures = self._places(name)
                make_room(mask, *pictures)
                write_mask(inside(self.root, mask), ids, palette, png_mark(mask.stem, ids))
                written.append(mask)
                for path in pictures:
                    is_frame = path.suffix == ".png"
                    picture = frame if is_frame else draw_overlay(frame, ids)
                    write_picture(inside(self.root, path), picture, is_marked=True)
                if add is not None:
                    add(draw_overlay(frame, ids))

            def write_soft(name: str, masks: Mapping[int, np.ndarray]) -> None:
                for number, mask in masks.items():
                    path = self.root / "soft" / str(number) / f"{name}.png"
                    make_room(path)
                    write_picture(inside(self.root, path), mask, is_marked=True)

            @functools.cache
            def rows() -> Callable[[str, Judged], None]:
                return stack.enter_context(confidence_writer(inside(self.root, table)))

            def write_judged(name: str, judged: Judged, soft: Mapping[int, np.ndarray]) -> None:
                rows()(name, judged)
                if soft:
                    queue.submit(write_soft, name, soft)

            # Opened after the video, so that it is drained before the video is closed.
            with WriteBehind() as queue:
                yield FrameWriter(
                    lambda name, frame, ids: queue.submit(write, name, frame, ids), write_judged
                )
            if self._rle:
                path = inside(self.root, self.root / RESULTS_JSON)
                name = Path(frames.origin).absolute().name
                write_results_json(path, {name: written})

    def _places(self, name: str) -> list[Path]:
        """The files made from a frame: its mask first, then itself and its overlay if wanted."""
        places = [self.root / "masks" / f"{name}.png"]
        if self._keeps_frames:
            places.append(self.root / "frames" / f"{name}.png")
        if self.overlay == "pictures":
            places.append(self.root / "overlays" / f"{name}.jpg")
        return places

    def _results(self, with_frames: bool = False) -> list[Path]:
        """The existing masks and overlays; a folder ``frames`` may be the user's own."""
        patterns = ["masks/*.png", "soft/*/*.png", "overlays/*.jpg", "overlay.mp4"]
        patterns += [RESULTS_JSON, _CONFIDENCE]
        patterns += ["frames/*.png"] * with_frames
        return [path for pattern in patterns for path in self.root.glob(pattern)]

    def _leftovers(self) -> set[Path]:
        folders = [".", "masks", "soft/*", "overlays", *["frames"] * self._keeps_frames]
        files = {path for folder in folders for path in self.root.glob(f"{folder}/.*.partial")}
        # In a container an earlier process may have had this one's id, which is in use again.
        own = f".{os.getpid()}.partial"
        return {p for p in files if _LEFTOVER.fullmatch(p.name) and not p.name.endswith(own)}

    def _require_apart(self, inputs: Iterable[Path]) -> None:
        root = self.root.resolve()
        names = "masks", "soft", "overlays", "overlay.mp4", _CONFIDENCE
        results = {root / name for name in names}
        for path in inputs:
            place = path.resolve()
            if place == root:
                raise ValueError(
                    f"{self.root}: expected a folder for results, found the folder of frames; "
                    "give another --output"
                )
            if results & {place, *place.parents}:
                raise ValueError(
                    f"{path}: expected the input apart from results, found it where "
                    f"--output {self.root} replaces files; give another --output"
                )


@contextlib.contextmanager
def _alone_in(root: Path) -> Iterator[None]:
    """Makes a folder and keeps other runs out of it, where the file system has locks."""
    is_new = not root.exists()
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        is_free = True
        with contextlib.suppress(OSError):
            is_free = LockFile(root, descriptor).take()
        if not is_free:
            raise ValueError(
                f"{root}: expected a folder that no other run writes into, found one at work; wait "
                "for its end, or give another --output"
            )
        yield
    finally:
        os.close(descriptor)
        if is_new:
            with contextlib.suppress(OSError):  # there are results
                root.rmdir()


def _require_free(places: Iterable[Path], others: Collection[Path]) -> None:
    for path in places:
        if path in others:
            raise ValueError(
                f"{path}: expected a result of an earlier run to replace, found a file that no run "
                "wrote, or that was changed since; move it, or give another --output"
            )
