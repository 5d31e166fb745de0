"""Sound PNG and JPEG files of many kinds, and damage behind repaired checksums and lengths."""

import io
import struct
import zlib

import numpy as np
from mutation.changes import change_bytes, change_order, extreme_number, put_number
from PIL import Image, PngImagePlugin

SIZE = (24, 32)
"""Height and width of every sound picture."""

Part = tuple[bytes, bytes]
"""The kind and the content of a chunk of PNG or a segment of JPEG."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112
_SHAPES = ((0, 0), (1, 1), (1, 1 << 30), (8000, 8000), (12_000, 12_000), (1 << 31, 1), (60_000, 2))
_CHUNKS = (b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT")
_MARKERS = (0xC0, 0xC2, 0xC4, 0xDA, 0xDD, 0xE0, 0xE1, 0xE2, 0xFE)
_SCAN = b"\xff\xda"


def draw_mask():
    """Draws two objects, uint8 [24, 32]."""
    mask = np.zeros(SIZE, np.uint8)
    mask[3:12, 4:14], mask[8:20, 18:28] = 1, 2
    return mask


def sound_pngs():
    """Writes frames and masks in every mode that PNG has."""
    colour, mask = _draw_frame(), draw_mask()
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
    colour = _draw_frame()
    return [
        *(_save(image, "JPEG") for image in (colour, colour.convert("L"), colour.convert("CMYK"))),
        _save(colour, "JPEG", progressive=True, quality=95, subsampling=0),
        _save(colour, "JPEG", exif=_exif(6), comment=b"a frame", icc_profile=b"profile"),
        _save(colour, "JPEG", exif=_exif(3), restart_marker_rows=1),
        _save(colour, "MPO", save_all=True, append_images=[colour]),
    ]


def change_png(rng, data):
    """Damages a PNG: two thirds of the time in its chunks, whose checksums fit again."""
    if rng.random() < 0.35:
        return change_bytes(rng, data)
    chunks = list(_png_chunks(data))
    chosen = rng.randrange(len(chunks))
    match rng.randrange(7):
        case 0:
            chunks[0] = b"IHDR", _change_header(rng, chunks[0][1])
        case 1:
            kind = rng.choice((*_CHUNKS, *(kind for kind, _ in chunks), rng.randbytes(4)))
            chunks[chosen] = kind, chunks[chosen][1]
        case 2:
            chunks.insert(rng.randint(1, len(chunks)), (rng.choice(_CHUNKS), _odd_content(rng)))
        case 3:
            chunks = [(kind, _change_pixels(rng, kind, content)) for kind, content in chunks]
        case _:
            return _SIGNATURE + _change_parts(rng, chunks, _write_chunk, slice(0, 4))
    return _SIGNATURE + b"".join(_write_chunk(*chunk) for chunk in chunks)


def change_jpeg(rng, data):
    """Damages a JPEG: two thirds of the time in its segments, whose lengths fit again."""
    if rng.random() < 0.35:
        return change_bytes(rng, data)
    segments, scan = _jpeg_segments(data)
    match rng.randrange(6):
        case 0:
            segments = [
                (m, _put_shape(rng, c, 1, 2) if b"\xff\xc0" <= m <= b"\xff\xc2" else c)
                for m, c in segments
            ]
        case 1:
            kind = bytes([0xFF, rng.choice(_MARKERS)])
            content = b"Exif\0\0" + _odd_exif(rng) if kind[1] == 0xE1 else _odd_content(rng)
            segments.insert(rng.randint(0, len(segments)), (kind, content[:65_533]))
        case 2:
            scan = change_bytes(rng, scan)
        case _:
            return b"\xff\xd8" + _change_parts(rng, segments, _write_segment, slice(2, 4)) + scan
    return b"\xff\xd8" + b"".join(_write_segment(*segment) for segment in segments) + scan


def _change_parts(rng, parts, write, length):
    """Writes parts in another order, or one of another content or length than it has."""
    chosen = rng.randrange(len(parts))
    kind, content = parts[chosen]
    written = [write(*part) for part in parts]
    match rng.randrange(3):
        case 0:
            written[chosen] = write(kind, change_bytes(rng, content))
        case 1:
            written = change_order(rng, written)
        case _:
            num_bytes = length.stop - length.start
            written[chosen] = put_number(rng, written[chosen], length.start, num_bytes)
    return b"".join(written)


def _draw_frame():
    rows, columns = np.indices(SIZE)
    channels = [(rows * 7 + columns * k) % 256 for k in (1, 3, 5)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _save(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif(orientation):
    exif = Image.Exif()
    exif[_ORIENTATION], exif[0x010F] = orientation, "a camera"
    return exif


def _png_chunks(data):
    position = len(_SIGNATURE)
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def _write_chunk(kind, content):
    return struct.pack(
        f">I{len(kind)}s{len(content)}sI", len(content), kind, content, zlib.crc32(kind + content)
    )


def _change_header(rng, header):
    """Changes the size, the depth, the kind of colour or the order of a PNG."""
    if rng.random() < 0.5:
        return _put_shape(rng, header, 0, 4)
    position = rng.randint(8, 12)
    value = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    return header[:position] + bytes([value]) + header[position + 1 :]


def _put_shape(rng, header, position, num_bytes):
    """Puts another size into a header, two numbers at a position."""
    if rng.random() < 0.5:
        return put_number(rng, header, position + num_bytes * rng.randrange(2), num_bytes)
    shape = b"".join((x % (1 << 8 * num_bytes)).to_bytes(num_bytes) for x in rng.choice(_SHAPES))
    return header[:position] + shape + header[position + 2 * num_bytes :]


def _change_pixels(rng, kind, content):
    """Damages what is compressed in a chunk of pixels."""
    if kind != b"IDAT":
        return content
    pixels = change_bytes(rng, zlib.decompress(content))
    return zlib.compress(pixels if rng.random() < 0.8 else pixels + bytes(60_000_000))


def _odd_content(rng):
    """Content of chunks that decoders parse."""
    match rng.randrange(6):
        case 0:
            return b""
        case 1:
            return rng.randbytes(rng.choice((1, 3, 26, 700)))
        case 2:
            return b"key\0\0" + zlib.compress(bytes(rng.choice((10, 80_000_000))))
        case 3:
            return b"key\0\1\0\0\0" + zlib.compress(rng.randbytes(20))[: rng.randint(0, 20)]
        case 4:
            return b"".join(extreme_number(rng, 4) for _ in range(rng.choice((2, 7, 40))))
    return _odd_exif(rng)


def _odd_exif(rng):
    """A directory of EXIF with one or several entries, rarely sound."""
    number = rng.choice((0, 1, 1, 2, 5, 65_535))
    value = rng.choice((0, 1, 3, 6, 8, 9, 65_535))
    kind = rng.choice((0, 2, 3, 3, 3, 4, 5, 12, 13, 99))
    count = rng.choice((0, 1, 1, 1, 2, 1 << 31))
    entry = struct.pack(">HHIHH", _ORIENTATION, kind, count, value, 0)
    directory = struct.pack(">H", number) + entry * min(number, 5) + extreme_number(rng, 4)
    data = rng.choice((b"MM\0*", b"MM\0*", b"II*\0", b"MM\0+")) + struct.pack(">I", 8) + directory
    return change_bytes(rng, data) if rng.random() < 0.5 else data


def _jpeg_segments(data):
    """The segments before the first scan, and the rest of the file."""
    position, segments = 2, []
    while data[position : position + 2] != _SCAN:
        (length,) = struct.unpack_from(">H", data, position + 2)
        segments.append((data[position : position + 2], data[position + 4 : position + 2 + length]))
        position += 2 + length
    return segments, data[position:]


def _write_segment(marker, content):
    return marker + struct.pack(">H", (len(content) + 2) % 65_536) + content
