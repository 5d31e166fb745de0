"""Converts weights of the released PyTorch code into a checkpoint, or a checkpoint back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.checkpoints.weights import load_config_of
from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_command
from mavos_jax.config import Experiment
from mavos_jax.conversion.transfer import convert_file, export_file


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Convert weights of the released PyTorch code into a checkpoint, or a checkpoint back.

      convert_torch_weights.py --config configs/mavos.py --input mavos.pth --output DIR
      convert_torch_weights.py --to_torch --checkpoint DIR --output mavos.pth

    Attributes:
      output: the checkpoint to create, a folder or .safetensors file; with --to_torch the file.
      config: the configuration file of the network.
      input: weights of MAVOS, DeAOT-L, AOT-L or an ImageNet encoder (.pth, .npz, .safetensors).
      checkpoint: the checkpoint to read, with --to_torch.
      to_torch: write the checkpoint's weights under their PyTorch names.
      allow_missing: initialise weights that the file lacks and drop unexpected ones.
      overwrite: replace an existing output.
      seed: the seed of initialised weights.
    """

    output: Path
    config: Path | None = None
    input: Path | None = None
    checkpoint: Path | None = None
    to_torch: bool = False
    allow_missing: bool = False
    overwrite: bool = False
    seed: int = 0


def main(argv: Sequence[str] | None = None) -> None:
    arguments, config = parse_command(Arguments, argv)
    if arguments.to_torch:
        if arguments.checkpoint is None or arguments.input is not None:
            raise ValueError("expected --to_torch with --checkpoint DIR and without --input")
        refuse_options_of_import(arguments, config)
        report = export_file(arguments.checkpoint, arguments.output, overwrite=arguments.overwrite)
    elif config is None or arguments.input is None or arguments.checkpoint is not None:
        raise ValueError("expected --config FILE and --input FILE, or --to_torch --checkpoint DIR")
    else:
        report = convert_file(
            *(config, arguments.input, arguments.output),
            seed=arguments.seed,
            allow_missing=arguments.allow_missing,
            overwrite=arguments.overwrite,
        )
    print(report)


def refuse_options_of_import(arguments: Arguments, config: Experiment | None) -> None:
    """Raises ValueError for options that an export would ignore."""
    options = {
        "--config": arguments.config is not None,
        "--seed": arguments.seed != Arguments.seed,
        "--allow_missing": arguments.allow_missing,
    }
    found = [option for option, is_given in options.items() if is_given]
    if arguments.checkpoint is not None and config != load_config_of(arguments.checkpoint):
        found += [] if arguments.config else ["overrides of the configuration"]
    if found:
        raise ValueError(
            f"expected --to_torch to write the checkpoint as it is, found {' and '.join(found)}; "
            "drop them"
        )


if __name__ == "__main__":
    main_with_errors(main)
