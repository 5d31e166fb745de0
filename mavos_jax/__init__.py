"""MAVOS in JAX: video object segmentation with a fixed-size memory."""

from mavos_jax.config import Experiment
from mavos_jax.inference.video import segment_video, stream_video
from mavos_jax.models.mavos import build_model

__all__ = ["Experiment", "build_model", "segment_video", "stream_video"]
