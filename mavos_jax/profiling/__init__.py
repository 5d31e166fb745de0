"""What the network costs: ``python -m mavos_jax.profiling --config FILE``.

Without further options, one frame inside the compiled scan (:mod:`.single`). With them, rows of
parts and protocols (:mod:`.rows`), or speed and memory against the length of the video
(:mod:`.lengths`). Whatever is compared is measured in turns, so that a machine that slows down
slows all of it. :mod:`.compiled` counts what a GPU would run, without one.
"""
