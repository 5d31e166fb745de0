"""The colours of the lines on a report's curves, read from its style sheet."""

import importlib.resources
import re

import numpy as np
import pytest

# Machado et al. 2009 at full severity, on linear RGB: how readers without one kind of cone see.
VISIONS = np.reshape(
    [
        *(1, 0, 0, 0, 1, 0, 0, 0, 1),
        *(0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216),
        *(-0.003882, -0.048116, 1.051998),
        *(0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413),
        *(-0.011820, 0.042940, 0.968881),
        *(1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602),
        *(0.004733, 0.691367, 0.303900),
    ],
    (4, 3, 3),
)
OKLAB = np.reshape(
    [
        *(0.4122214708, 0.5363325363, 0.0514459929, 0.2119034982, 0.6806995451, 0.1073969566),
        *(0.0883024619, 0.2817188376, 0.6299787005),
        *(0.2104542553, 0.7936177850, -0.0040720468, 1.9779984951, -2.4285922050, 0.4505937099),
        *(0.0259040371, 0.7827717662, -0.8086757660),
    ],
    (2, 3, 3),
)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_lines_are_told_apart_on_the_page_by_any_vision(scheme):
    style = importlib.resources.files("mavos_jax.evaluation.report") / "page" / "style.css"
    found = re.findall(r"--(surface|line-\d): #(\w{6});", style.read_text())
    assert len(found) == 16
    codes = [bytes.fromhex(code) for _, code in found[8 * scheme : 8 * (scheme + 1)]]
    shares = np.array([list(code) for code in codes]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    luminances = linear @ (0.2126, 0.7152, 0.0722) + 0.05
    contrasts = np.maximum(luminances[1:] / luminances[0], luminances[0] / luminances[1:])
    assert contrasts.min() >= 3
    for vision in VISIONS:
        seen = np.cbrt(np.clip(linear @ vision.T, 0, 1) @ OKLAB[0].T) @ OKLAB[1].T
        distances = np.linalg.norm(seen[1:, None] - seen[None, 1:], axis=-1)
        assert distances[~np.eye(7, dtype=bool)].min() > 0.1
