"""Sound pictures of many kinds, and video files in usual containers."""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin
from video_files import write_video

SIZE = (48, 64)


def draw(index):
    """A smooth frame, and two objects that move over it."""
    rows, columns = np.indices(SIZE)
    frame = np.stack([rows * 4, columns * 3, rows + columns + 20 * index], -1).astype(np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[6 + index : 20 + index, 8:24], mask[24:40, 30 + index : 50 + index] = 1, 2
    return frame, mask


def sound_pngs():
    """Writes frames and masks in every mode that PNG has."""
    frame, mask = draw(0)
    colour = Image.fromarray(frame)
    indexed = Image.fromarray(mask)
    indexed.putpalette([255 - i // 3 for i in range(768)])
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "drawn by hand")
    texts.add_itxt("Title", "a frame", "en", "Titel", zip=True)
    plain = (mask, mask.astype(np.uint16), mask > 0)
    images = [colour, indexed, *map(Image.fromarray, plain), *map(colour.convert, ("RGBA", "LA"))]
    return [
        *(_save(image, "PNG") for image in [*images, colour.convert("L")]),
        _save(colour, "PNG", exif=_exif(6), pnginfo=texts, icc_profile=b"profile", dpi=(72, 72)),
        _save(colour.convert("P"), "PNG", transparency=bytes(range(256))),
        _save(colour, "PNG", save_all=True, append_images=[colour.convert("L")], duration=40),
        _save(indexed, "PNG", bits=2, transparency=0),
    ]


def sound_jpegs():
    """Writes pictures as cameras and programs do."""
    colour = Image.fromarray(draw(0)[0])
    return [
        *(_save(image, "JPEG") for image in (colour, colour.convert("L"), colour.convert("CMYK"))),
        _save(colour, "JPEG", progressive=True, quality=95, subsampling=0),
        _save(colour, "JPEG", exif=_exif(6), comment=b"a frame", icc_profile=b"profile"),
        _save(colour, "JPEG", exif=_exif(3), restart_marker_rows=1),
        _save(colour, "MPO", save_all=True, append_images=[colour]),
    ]


def _save(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif(orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    return exif


def write_videos():
    """Writes videos of every usual kind, most of them of boxes: their names and content."""
    named = []
    with tempfile.TemporaryDirectory() as folder:
        for name, options in _VIDEOS:
            path = write_video(Path(folder) / name, 5, size=(32, 48), **options)
            named.append((name, path.read_bytes()))
    return named


_VIDEOS = (
    *(2 * (("clip.mp4", {}), ("clip.mp4", {"movflags": "faststart"}))),
    *(2 * (("clip.mp4", {"movflags": "frag_keyframe+empty_moov"}),)),
    *(2 * (("clip.mov", {"codec": "mpeg4"}),)),
    ("clip.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    *(("clip.mkv", {}), ("clip.avi", {"codec": "mpeg4"}), ("clip.ts", {})),
    *(("clip.flv", {"codec": "flv1"}), ("clip.webm", {"codec": "libvpx-vp9"})),
    ("clip.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
)
