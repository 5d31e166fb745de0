"""Sequences in the layout ``JPEGImages/<sequence>`` beside ``Annotations/<sequence>``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from mavos_jax.media.frames import (
    IMAGE_SUFFIXES,
    FrameSource,
    ImageFolder,
    list_images,
    natural_order,
)

_NUM_NAMED = 8


@dataclasses.dataclass(frozen=True)
class VideoSequence:
    """A video and the masks that lie beside it.

    Attributes:
      frames: the frames, from the one of the first mask on.
      annotations: mask files by frame index; empty, or index 0 is there. Those after the first are
        meant to show objects that are new in their frame.
      num_skipped: frames before the one of the first mask, left out of ``frames``.
    """

    frames: FrameSource
    annotations: Mapping[int, Path]
    num_skipped: int = 0


def open_sequence(path: Path, mask: Path | None = None) -> VideoSequence:
    """Opens a video file, a folder of frames, or a sequence with annotations.

    Args:
      path: a video file; a folder of images, with annotations if it lies in a ``JPEGImages`` whose
        sibling ``Annotations`` has the same folder; or the parent of both, if there is exactly one
        sequence.
      mask: the mask to start from, in place of the annotation of its frame. That is the frame of
        the same name for a file in the folder of annotations, the video's first for any other. By
        default the first annotation, with its frame.

    Raises:
      ValueError: see :func:`open_frames`; or there are several sequences, or an annotation
        belongs to no frame.
    """
    if (path / "JPEGImages").is_dir():
        path = _only_sequence(path)
    frames = open_frames(path)
    folder = _annotations_folder(path)
    if folder is None or not isinstance(frames, ImageFolder):
        return VideoSequence(frames, {} if mask is None else {0: mask})
    indices = {name: index for index, name in enumerate(frames.names)}
    files = list_images(folder, (".png",))
    for file in files:
        if file.stem not in indices:
            raise ValueError(
                f"{file}: expected the name of a frame in {path}, found no {file.stem}.jpg or .png "
                "there; rename or remove the mask"
            )
    by_index = {indices[file.stem]: file for file in files}
    if mask is None:
        start = min(by_index, default=0)
    else:
        is_annotation = mask.absolute().parent.resolve() == folder.resolve()
        start = indices.get(mask.stem, 0) if is_annotation else 0
        by_index[start] = mask
    annotations = {index - start: by_index[index] for index in sorted(by_index) if index >= start}
    return VideoSequence(frames.starting_at(start), annotations, start)


def _only_sequence(root: Path) -> Path:
    """Finds the one folder with images below ``root/JPEGImages``, at most two levels down."""
    images = root / "JPEGImages"
    folders = [images, *images.glob("*/"), *images.glob("*/*/")]
    found = [folder for folder in folders if folder.is_dir() and list_images(folder)]
    found.sort(key=lambda folder: natural_order(str(folder)))
    if not found:
        raise ValueError(f"{images}: expected a folder of frames (.jpg or .png), found none")
    if len(found) > 1:
        named = ", ".join(str(folder.relative_to(images)) for folder in found[:_NUM_NAMED])
        rest = len(found) - _NUM_NAMED
        raise ValueError(
            f"{root}: expected one sequence, found {len(found)}: {named}"
            f"{f' and {rest} more' if rest > 0 else ''}; give one of them, such as {found[0]}"
        )
    return found[0]


def _annotations_folder(path: Path) -> Path | None:
    """The folder of masks that belongs to a folder of frames, None where there is none."""
    parts = path.absolute().parts
    if "JPEGImages" not in parts:
        return None
    position = len(parts) - 1 - parts[::-1].index("JPEGImages")
    folder = Path(*parts[:position], "Annotations", *parts[position + 1 :])
    return folder if folder.is_dir() else None


def open_frames(path: Path) -> FrameSource:
    """Opens a folder of images or a video file.

    Args:
      path: the folder, or a file that PyAV decodes (extra ``video``).

    Raises:
      ValueError: nothing is there, it holds no frames, or what can be checked without decoding
        everything is wrong; the message names the file.
    """
    if path.is_dir():
        return ImageFolder.open(path)
    if not path.exists():
        raise ValueError(f"{path}: expected a video file or a folder of frames, found nothing")
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a video file or a folder of frames, found a pipe or a device; "
            "save the video to a file first"
        )
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(
            f"{path}: expected a video file or a folder of frames, found one image; "
            f"give its folder, {path.parent}"
        )
    from mavos_jax.media.video_file import VideoFile

    return VideoFile.open(path)
