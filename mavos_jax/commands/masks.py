"""Makes indexed masks from coloured or grey ones: ``python -m mavos_jax.commands.masks``."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_command
from mavos_jax.config import MAX_ID
from mavos_jax.media.folders import IMAGE_SUFFIXES, images_by_stem
from mavos_jax.media.ids import smoothed_values
from mavos_jax.media.masks import DEEP, read_colours, voc_palette, write_mask
from mavos_jax.runtime.files import require_new, require_writable_parent


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Make indexed masks (0 = background, 1, 2, ... = objects) from coloured or grey pictures.

    The pictures of a folder are the masks of one video: a colour gets the same id in all of them,
    numbered as colours appear. Colours of the PASCAL VOC palette keep its ids. Each folder below
    is a video of its own.

    Attributes:
      input: a picture, a folder of pictures, or a folder of such folders.
      output: the folder for a PNG per picture, under the same name.
      background: the colour that is no object, as red, green and blue from 0 to 255; what is
        transparent is none either; black alone on a transparent layer is an object.
      overwrite: replace existing masks.
    """

    input: Path
    output: Path
    background: tuple[int, int, int] = (0, 0, 0)
    overwrite: bool = False


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the masks that the command line asks for, and says which colour has which id."""
    arguments, _ = parse_command(Arguments, argv)
    colour = arguments.background
    if not all(0 <= value <= 255 for value in colour):
        raise ValueError(f"--background: expected three values from 0 to 255, found {colour}")
    background = _packed(colour)
    require_writable_parent(arguments.output / "masks")
    videos = []
    for files, folder in _videos(arguments.input, arguments.output):
        _require_free(files, folder, arguments)
        counts = _count_colours(files)
        videos.append((files, folder, counts, _number(files[0].parent, counts, background)))
    for files, folder, counts, ids in videos:  # nothing is written before all is known to be good
        for file in files:
            colours, places = np.unique(read_colours(file), return_inverse=True)
            table = np.array([ids[int(colour)] for colour in colours], np.uint8)
            write_mask(folder / f"{file.stem}.png", table[places])
        print(f"{folder}: {len(files)} masks of {len(set(ids.values()) - {0})} objects")
        for colour, number in sorted(ids.items(), key=lambda item: item[1]):
            meaning = f"{_describe(colour)} -> {number or 'background'}"
            print(f"  {meaning}, in {counts[colour]} of {len(files)}")
        if not counts.keys() & {-1, background}:
            print(f"  no background {_describe(background)}; --background RED GREEN BLUE names it")


def _videos(source: Path, output: Path) -> Iterator[tuple[list[Path], Path]]:
    if source.is_file():
        yield [source], output
        return
    if not source.is_dir():
        raise ValueError(f"{source}: expected a picture or a folder of pictures, found nothing")
    below = sorted(path for path in source.rglob("*") if path.is_dir())
    hidden = re.compile(r"(^|/)\.")
    folders = [source, *(p for p in below if not hidden.search(p.relative_to(source).as_posix()))]
    target = output.absolute()
    if source.absolute() in target.parents:  # results of an earlier run are no input
        folders = [path for path in folders if not path.absolute().is_relative_to(target)]
    found = [(folder, list(images_by_stem(folder, IMAGE_SUFFIXES).values())) for folder in folders]
    if not any(names for _, names in found):
        raise ValueError(f"{source}: expected pictures (.png), found none in it or below")
    for folder, names in found:
        if names:
            yield [folder / name for name in names], output / folder.relative_to(source)


def _require_free(files: Sequence[Path], folder: Path, arguments: Arguments) -> None:
    for file in files:
        target = folder / f"{file.stem}.png"
        if target.exists() and target.samefile(file):
            raise ValueError(
                f"{target}: expected an output apart from the input; give another --output"
            )
        require_new(target, arguments.overwrite)


def _count_colours(files: Sequence[Path]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for file in files:
        packed = read_colours(file)
        colours = np.unique(packed)
        _require_no_smoothing(file, packed, len(colours))
        for colour in colours:
            counts[int(colour)] = counts.get(int(colour), 0) + 1
    return counts


def _require_no_smoothing(file: Path, packed: np.ndarray, number: int) -> None:
    num_outline = len(smoothed_values(packed)) if number <= MAX_ID else 0
    if number > MAX_ID or num_outline:
        found = f"{num_outline} of {number} on outlines alone" if num_outline else str(number)
        raise ValueError(
            f"{file}: expected one colour an object, found {found}, as anti-aliasing and JPEG "
            "leave them; export the masks again as PNG, drawn and resized without smoothing"
        )


def _number(origin: Path, counts: Mapping[int, int], background: int) -> dict[int, int]:
    if background == 0 and counts.keys() == {-1, 0}:  # drawn in black on nothing
        background = -1
    palette = {-1: 0} | {_packed(colour): i for i, colour in enumerate(voc_palette())}
    if background == 0 and all(colour in palette for colour in counts):
        return {colour: palette[colour] for colour in counts}
    objects = [colour for colour in counts if colour not in (-1, background)]
    if len(objects) > MAX_ID:
        raise ValueError(
            f"{origin}: expected at most {MAX_ID} colours in all, found {len(objects)}; split the "
            "video, or export the masks without smoothing"
        )
    numbers = {colour: number for number, colour in enumerate(objects, start=1)}
    return dict.fromkeys(counts.keys() & {-1, background}, 0) | numbers


def _packed(colour: Sequence[int] | np.ndarray) -> int:
    red, green, blue = (int(value) for value in colour)
    return red << 16 | green << 8 | blue


def _describe(colour: int) -> str:
    if colour < 0:
        return "transparent"
    if colour >= DEEP:
        return f"value {colour - DEEP}"
    return f"({colour >> 16}, {colour >> 8 & 255}, {colour & 255})"


if __name__ == "__main__":
    main_with_errors(main)
