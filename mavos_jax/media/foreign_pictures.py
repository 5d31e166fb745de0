"""What people have instead of a picture: told by its first bytes, with the way out."""

from __future__ import annotations

_EXPORT = "export it as PNG"
_CONVERT = "convert it to PNG or JPEG"

_MARKS = (
    (0, b"8BPS", "a Photoshop document", _EXPORT),
    (0, b"gimp xcf", "a GIMP document", _EXPORT),
    (0, b"%PDF", "a PDF", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy array", "save it as an indexed PNG"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", _CONVERT),
    (0, b"\xff\x0a", "a JPEG XL picture", _CONVERT),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture", _CONVERT),
    (4, b"ftyphe", "a HEIC photo", _CONVERT),
    (4, b"ftypmif1", "a HEIC photo", _CONVERT),
    (4, b"ftyp", "a video", "take one of its frames"),
    (0, b"\x1a\x45\xdf\xa3", "a video", "take one of its frames"),
    (0, b"PK\x03\x04", "a zip archive", "unpack it"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself: git lfs pull"),
    (0, b"<svg", "an SVG drawing", _EXPORT),
    (0, b"<?xml", "an XML text, such as a drawing or annotations", _EXPORT),
    (0, b"<", "a web page", "download the file again"),
    (0, b"{", "a JSON text, such as annotations", "draw its shapes into a PNG"),
    (0, b"[", "a JSON text, such as annotations", "draw its shapes into a PNG"),
)

NUM_BYTES = 32
"""The first bytes of a file that tell."""


def describe_foreign(head: bytes) -> tuple[str, str]:
    """Says what a file that is no picture is, and what to do about it.

    Args:
      head: its first :data:`NUM_BYTES` bytes, or all of fewer.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, mark, found, advice in _MARKS:
        if head.startswith(mark, start) or (start == 0 and text.startswith(mark)):
            return found, advice
    return "no known image format", "restore the file"
