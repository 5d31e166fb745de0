"""Damage to PNG, JPEG and MP4, and to what decoders parse in them."""

import zlib

from mutation.changes import Format, change_bytes, put_number

_EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
"""A directory whose one entry is the orientation 6."""

_SHAPES = ((0, 0), (1, 1), (1, 1 << 30), (8000, 8000), (12_000, 12_000), (1 << 31, 1), (60_000, 2))


def _put_shape(rng, header, position, num_bytes):
    """Puts another size into a header, two numbers at a position."""
    shape = b"".join((x % (1 << 8 * num_bytes)).to_bytes(num_bytes) for x in rng.choice(_SHAPES))
    return header[:position] + shape + header[position + 2 * num_bytes :]


def _change_pixels(rng, content):
    pixels = change_bytes(rng, zlib.decompress(content))
    return zlib.compress(pixels if rng.random() < 0.8 else pixels + bytes(60_000_000))


def _odd_content(rng):
    """Content of chunks, segments and boxes that decoders parse."""
    numbers = b"".join(put_number(rng, b"", 0, 4) for _ in range(rng.choice((2, 7, 40))))
    contents = (
        *(b"", numbers, change_bytes(rng, b"Exif\0\0" + _EXIF), change_bytes(rng, _EXIF)),
        rng.randbytes(rng.choice((1, 3, 26, 700))),
        b"key\0\0" + zlib.compress(bytes(rng.choice((10, 80_000_000)))),
        b"key\0\1\0\0\0" + zlib.compress(rng.randbytes(20))[: rng.randint(0, 20)],
    )
    return rng.choice(contents)[:65_533]


PNG = Format(
    prefix=b"\x89PNG\r\n\x1a\n",
    length=slice(0, 4),
    kind=slice(4, 8),
    not_counted=12,
    has_checksum=True,
    new_kinds=b"PLTE tRNS eXIf iCCP tEXt zTXt iTXt acTL fcTL fdAT \0\xffOx".split(),
    new_content=_odd_content,
    known={b"IHDR": lambda rng, header: _put_shape(rng, header, 0, 4), b"IDAT": _change_pixels},
)
JPEG = Format(
    prefix=b"\xff\xd8",
    length=slice(2, 4),
    kind=slice(0, 2),
    not_counted=2,
    last=b"\xff\xda",
    new_kinds=[b"\xff" + bytes([k]) for k in b"\xc0\xc2\xc4\xda\xdd\xe0\xe1\xe1\xe2\xfe"],
    new_content=_odd_content,
    known={
        b"": change_bytes,
        b"\xff\xc0": lambda rng, header: _put_shape(rng, header, 1, 2),
        b"\xff\xc2": lambda rng, header: _put_shape(rng, header, 1, 2),
    },
)
MP4 = Format(
    prefix=b"",
    length=slice(0, 4),
    kind=slice(4, 8),
    not_counted=0,
    folders=b"moov trak mdia minf stbl edts moof traf dinf".split(),
    new_kinds=b"free tkhd stsd stts stsz stco ctts elst moov mdat \0\xffOx".split(),
    new_content=_odd_content,
    known=dict.fromkeys((b"tkhd", b"stsz", b"stco", b"trun"), change_bytes),
)
