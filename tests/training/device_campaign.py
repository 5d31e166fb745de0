"""Trains the same steps on any number of devices, here or in several processes.

``python -m training.device_campaign NETWORK [graphs]`` is one of those processes: it prints its
losses.
"""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
from small_configs import MOBILENET, vary

from mavos_jax.commands.parser import load_config
from mavos_jax.config import MemoryConfig, ResNetConfig
from mavos_jax.data.loader import Batch
from mavos_jax.models.mavos import init_variables
from mavos_jax.training import devices
from mavos_jax.training.devices import build_step, replicate
from mavos_jax.training.processes import connect
from mavos_jax.training.step import build_training_model, new_state

ROOT = Path(__file__).parents[2]
STEPS = 10
GRAPH_OPTIONS = {"xla_embed_ir_in_executable": True}  # in place of a GPU's

SMALL = vary(
    MOBILENET,
    encoder=ResNetConfig(width=4, depths=(1, 1, 1)),
    elstt={"num_blocks": 1},
    memory=MemoryConfig(num_heads=2, focal_levels=1, mlp_ratio=1),
    data={"clip_frames": 4, "crop": 33},
    # With its own predictions as input, a pixel at a tie makes a visible difference.
    training={
        **{"steps": STEPS, "batch_size": 4, "optimizer": {"warmup": 0.2}},
        "clip": {"gap": 1, "teacher_forcing": 1.0},
    },
)
TINY_OVERRIDES = ("--training.clip.dropout", "True", "--data.crop", "65", "--data.clip_frames", "4")


def network(name):
    """A configuration with everything that draws random numbers switched on."""
    if name == "small":
        return SMALL
    return load_config(ROOT / "configs" / "tiny.py", TINY_OVERRIDES)


def make_batch(config, seed):
    """A global batch of moving rectangles, with ignored pixels, before a noisy ground."""
    rng = np.random.RandomState(seed)
    clips, length, side = config.training.batch_size, config.data.clip_frames, config.data.crop
    coarse = rng.randint(0, 200, (clips, length, -(-side // 8), -(-side // 8), 3))
    frames = np.kron(coarse, np.ones((8, 8, 1), int))[:, :, :side, :side]
    masks = np.zeros((clips, length, side, side), np.uint8)
    num_objects = rng.randint(1, 4, clips)
    for clip in range(clips):
        for slot in range(1, num_objects[clip] + 1):
            top, left = rng.randint(0, side // 2, 2)
            for t in range(length):
                rows = slice(top + t, top + t + side // 3)
                columns = slice(left + 2 * t, left + 2 * t + side // 3)
                masks[clip, t, rows, columns] = slot
                frames[clip, t, rows, columns] += 15 * slot
    masks[:, :, :2] = 255
    index = np.arange(clips, dtype=np.int32)
    return Batch(frames.astype(np.uint8), masks, num_objects.astype(np.int32), index)


def start_state(config):
    """The state before the first step, the same wherever it is computed."""
    variables = init_variables(build_training_model(config), config.training.seed)
    return jax.device_get(new_state(config, variables))


def losses_on(config, devices=None, with_pmap=None):
    """The losses of the first steps on some devices; every process gets them all."""
    process, processes = jax.process_index(), jax.process_count()
    step = build_step(config, devices, with_pmap=with_pmap)
    state, losses = replicate(start_state(config), devices, with_pmap=with_pmap), []
    for seed in range(STEPS):
        batch = make_batch(config, seed)
        state, metrics = step(state, Batch(*(x[process::processes] for x in batch)))
        losses.append(float(metrics.loss))
    return losses


def free_address():
    """Where processes of this machine may meet: a port that no connection takes by itself."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    raise OSError("expected a free port from 20000 to 31999, found none")


def losses_of_processes(name, *options, num_processes=2):
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "JAX_NUM_PROCESSES": str(num_processes),
        "JAX_COORDINATOR_ADDRESS": free_address(),
        "XLA_FLAGS": "",
    }
    command = [sys.executable, "-m", "training.device_campaign", name, *options]

    def run(process):
        own = environment | {"JAX_PROCESS_ID": str(process)}
        pipe = {"stdout": subprocess.PIPE, "text": True}
        output = subprocess.run(command, env=own, check=True, timeout=900, **pipe).stdout
        return json.loads(output.splitlines()[-1])

    with ThreadPoolExecutor(num_processes) as pool:
        return list(pool.map(run, range(num_processes)))


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    if "graphs" in sys.argv:
        devices.graph_options = lambda _: GRAPH_OPTIONS
    connect()
    print(json.dumps(losses_on(network(sys.argv[1]))))
