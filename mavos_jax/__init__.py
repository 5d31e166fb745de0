"""MAVOS in JAX: video object segmentation with a fixed-size memory."""

import os

# XLA's alarms of slow compilations are no message to a user; its errors come as exceptions. It
# reads the variable while JAX is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mavos_jax.checkpoints.weights import load, load_default, save
from mavos_jax.commands.parser import load_config
from mavos_jax.config import Experiment
from mavos_jax.conversion import convert_state_dict, to_state_dict
from mavos_jax.inference.functional import (
    add_objects,
    correct,
    init_state,
    keep_reference,
    remove_objects,
    step,
)
from mavos_jax.inference.live import VideoSegmenter
from mavos_jax.inference.outputs import Judgement
from mavos_jax.inference.state import Output, State
from mavos_jax.inference.video import segment_batch, segment_video, stream_video
from mavos_jax.models.mavos import build_model

__all__ = [
    "Experiment",
    "Judgement",
    "Output",
    "State",
    "VideoSegmenter",
    "add_objects",
    "build_model",
    "convert_state_dict",
    "correct",
    "init_state",
    "keep_reference",
    "load",
    "load_config",
    "load_default",
    "remove_objects",
    "save",
    "segment_batch",
    "segment_video",
    "step",
    "stream_video",
    "to_state_dict",
]
