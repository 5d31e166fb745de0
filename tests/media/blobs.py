"""Masks for the tests."""

from PIL import Image, ImageDraw

SIZE = (48, 64)


def blobs(*values):
    """A grey picture of one disc and one box for each value."""
    image = Image.new("L", (SIZE[1], SIZE[0]))
    draw = ImageDraw.Draw(image)
    for number, value in enumerate(values):
        left = 4 + 20 * number
        draw.ellipse((left, 4, left + 13, 20), fill=value)
        draw.rectangle((left, 26, left + 11, 40), fill=value)
    return image
