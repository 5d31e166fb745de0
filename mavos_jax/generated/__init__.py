"""Videos drawn by rules, with masks that are true to the pixel."""
