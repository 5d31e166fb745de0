"""Fine-tunes a network on your own videos.

python examples/finetune.py MY_VIDEOS runs/mine --steps 300
python examples/finetune.py MY_VIDEOS runs/mine --checkpoint weights/r50

MY_VIDEOS holds JPEGImages/<video>/*.jpg and Annotations/<video>/*.png, indexed PNGs of object ids.
The same command again continues a run that was stopped. For long runs prefer train.py, whose every
setting is an option: python train.py --config configs/finetune.py --help
"""

import argparse
import dataclasses
from pathlib import Path

import mavos_jax
from mavos_jax import Experiment
from mavos_jax.config import SourceConfig
from mavos_jax.training.loop import train


def recipe(network: Experiment, videos: Path, start: Path, steps: int) -> Experiment:
    """Returns how to train: as the network was, but on these videos and at a low rate."""
    training = network.training
    return dataclasses.replace(
        network,
        name="finetuned",
        data=dataclasses.replace(
            network.data,
            sources=(SourceConfig(kind="folder", root=str(videos), max_gap=3),),
            max_objects=10,
        ),
        training=dataclasses.replace(
            training,
            steps=steps,
            start=str(start),
            fresh=(),
            optimizer=dataclasses.replace(training.optimizer, peak_rate=1e-4, min_rate=1e-6),
            loop=dataclasses.replace(training.loop, evaluate_every=0, save_every=50),
        ),
    )


def main(videos: Path, workdir: Path, checkpoint: Path | None, steps: int) -> None:
    start = checkpoint or workdir.with_name(f"{workdir.name}_start")
    if checkpoint is None and not start.exists():
        model, variables = mavos_jax.load_default()
        mavos_jax.save(start, model.config, variables)
    network = mavos_jax.load(start)[0].config
    train(recipe(network, videos, start, steps), workdir)
    print(f"to use it: python evaluate.py --checkpoint {workdir} --video PATH --mask FILE")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("videos", type=Path)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="default: the small network we ship")
    parser.add_argument("--steps", type=int, default=300)
    main(**vars(parser.parse_args()))
