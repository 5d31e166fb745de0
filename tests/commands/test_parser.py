import dataclasses
from pathlib import Path
from typing import Literal

import pytest
from refusals import refuse
from small_configs import vary

from mavos_jax.checkpoints.weights import save
from mavos_jax.commands.parser import load_config, parse_command
from mavos_jax.config import (
    Experiment,
    LSTTConfig,
    MemoryConfig,
    MobileNetV2Config,
    ResNetConfig,
    SwinConfig,
)
from mavos_jax.models.mavos import build_model, init_variables

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = str(CONFIGS / "tiny.py")
MOBILENET = str(CONFIGS / "mavos.py")


@dataclasses.dataclass(frozen=True)
class PaintBox:
    """Paint box.

    Attributes:
      colours: takes one colour.
    """

    colours: Literal["red", "blue"] = "red"
    num_brushes: int = 1

    def __post_init__(self):
        if self.num_brushes < 1:
            raise ValueError(f"--num_brushes: expected at least 1, found {self.num_brushes}")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Paints a video.

    Attributes:
      output: the folder of pictures.
      config: the configuration file.
      checkpoint: the folder of weights.
      is_bright: paints in bright colours.
    """

    output: Path = Path("out")
    config: Path | None = None
    checkpoint: Path | None = None
    is_bright: bool = False
    box: PaintBox = PaintBox()


@dataclasses.dataclass(frozen=True)
class ConvertArguments:
    """Has no checkpoint to start from, and cannot do without a source."""

    source: Path
    config: Path | None = None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of ``tiny`` whose memory has another gap than the file's."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    config = load_config(TINY, ("--memory.gap", "8"))
    save(folder, config, init_variables(build_model(config)))
    return str(folder)


def test_every_field_can_be_overridden():
    stages = ((1, 8, 1, 1), (2, 8, 1, 2), (2, 8, 1, 2), (2, 8, 3, 2), (2, 8, 1, 2))
    encoder, memory = MobileNetV2Config(stages=stages), MemoryConfig(policy="bank", gap=3)
    config = Experiment(name="all", encoder=encoder, memory=memory, align_corners=False)

    def words(part, path):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if dataclasses.is_dataclass(value):
                yield from words(value, f"{path}{field.name}.")
            elif isinstance(value, tuple) and any(map(dataclasses.is_dataclass, value)):
                for i, member in enumerate(value):
                    yield from words(member, f"{path}{field.name}.{i}.")
            else:
                yield f"--{path}{field.name}"
                for row in value if isinstance(value, tuple) else (value,):
                    yield from map(str, row if isinstance(row, tuple) else (row,))

    assert load_config(MOBILENET, tuple(words(config, ""))) == config


@pytest.mark.parametrize(
    ("file", "words", "part", "expected"),
    [
        ("swinb_mavos", "--encoder.window 5", "encoder", SwinConfig(window=5)),
        ("r50_mavos", "--encoder.depths 3 4 23", "encoder", ResNetConfig(depths=(3, 4, 23))),
        ("aot_l", "--elstt.num_heads 4", "elstt", LSTTConfig(num_heads=4)),
    ],
)
def test_options_are_those_of_the_encoder_and_transformer_in_the_file(file, words, part, expected):
    assert getattr(load_config(CONFIGS / f"{file}.py", words.split()), part) == expected
    refuse(f"Unrecognized options: {words.split()[0]}", load_config, MOBILENET, words.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--memory.gpa 4", "--memory.gpa, 4; did you mean --memory.gap?"),
        ("--memory.gap four", "--memory.gap: invalid literal for int() with base 10: 'four'"),
        ("--memory.gap 0", "mavos.py: memory.gap: expected an integer of at least 1, found 0"),
        ("--memory.gap", "Missing value for argument '--memory.gap'"),
        ("--memory.policy all", "Expected one of ('mca', 'bank', "),
        ("--align_corners maybe", "Expected one of ('True', 'False')"),
        ("--encoder.stages 1 8 1 1", "encoder.stages: expected exactly four rows of stride 2"),
        ("--elstt.value_dim 33", "mavos.py: elstt.value_dim: expected a multiple of"),
        ("4", "Unrecognized options: 4"),
        ("--help", "Unrecognized options: --help"),
    ],
)
@pytest.mark.parametrize("columns", ["40", "200"])
def test_bad_override_is_one_line(words, message, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert message in refuse(r"^\S+mavos\.py: ", load_config, MOBILENET, words.split())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("mark", ["_", "-"])
def test_options_and_overrides_come_in_any_order_with_dashes_or_underscores(mark):
    words = ["--align_corners", "False", "--is_bright", "--num_brushes=2", "--memory.gap=7"]
    words = [word.replace("_", mark) for word in words]
    words += [f"--config={TINY}", "--colours", "blue", "--memory.gap", "9"]  # the last gap counts
    arguments, config = parse_command(Arguments, words)
    assert arguments == Arguments(config=Path(TINY), is_bright=True, box=PaintBox("blue", 2))
    assert config == vary(load_config(TINY), memory={"gap": 9}, align_corners=False)


def test_command_without_configuration_has_no_experiment():
    assert parse_command(Arguments, ["--output", "x"]) == (Arguments(output=Path("x")), None)


@pytest.mark.parametrize(
    ("kind", "words", "source"),
    [
        (Arguments, [], "--config FILE or --checkpoint DIR"),
        (ConvertArguments, ["--source", "x"], "--config FILE for"),
    ],
)
def test_override_of_nothing_asks_for_a_configuration(kind, words, source):
    match = rf"expected {source}.* --memory\.gap"
    refuse(match, parse_command, kind, [*words, "--memory.gap", "5"])


@pytest.mark.parametrize("columns", ["60", "100"])
@pytest.mark.parametrize("start", [[], ["--config", MOBILENET]], ids=["bare", "config"])
def test_help_shows_the_options_and_the_chosen_fields(start, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as stop:
        parse_command(Arguments, [*start, "--help"], shown=("name", "memory.g"))
    lines = capsys.readouterr().out.splitlines()
    assert stop.value.code == 0
    assert max(map(len, lines)) <= int(columns)
    assert lines[0] == "Paints a video."
    shown = " ".join(" ".join(lines).split())
    for words in ("--output PATH The folder of pictures [out].", "--is_bright Paints", "Paint box"):
        assert words in shown
    assert "--colours {red,blue} Takes one colour [red]." in shown
    assert "--memory.gap INT" in shown
    assert "[False]." in shown.partition("--memory.grows {True,False}")[2]
    assert "--memory.policy" not in shown
    assert ("files [mavos]" in shown) == bool(start)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", TINY], "expected the option --source, found none"),
        (["--sourec", "x"], "expected the option --source, found none; unrecognized: --sourec x"),
        (["--source", "x", "--config"], "Missing value for argument '--config'"),
        # The parser may name further options that look alike.
        (["--source", "x", "--confg", TINY], f"--confg, {TINY}; did you mean --config"),
        (["--source", "x", "--config", TINY, "--to", "x" * 200], f"--to, {'x' * 200}"),
    ],
)
def test_missing_option_is_named(words, message):
    assert message in refuse(".", parse_command, ConvertArguments, words)


KEEPING = ["--memory.capacity", "9", "--inference.chunk_frames", "2"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["--memory.gap", "8"]),
        (KEEPING, ["--memory.gap", "8", *KEEPING]),  # these keep its parameters
        (["--config", TINY], []),  # which is the base beside a checkpoint
    ],
)
def test_checkpoint_gives_the_base(checkpoint, words, expected):
    arguments, config = parse_command(Arguments, ["--checkpoint", checkpoint, *words])
    assert arguments.checkpoint == Path(checkpoint)
    assert config == load_config(TINY, expected)


def test_the_home_folder_is_put_in_place_of_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    for words in (["--output=~/out"], ["--output", "~/out"]):
        assert parse_command(Arguments, words)[0].output == Path("/home/ann/out")
    assert parse_command(Arguments, ["--output", "a~b"])[0].output == Path("a~b")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--decoder.dim", "32", "--memory.gap", "3"],
            "decoder.dim: 64 in the checkpoint, 32 asked for; drop --decoder.dim",
        ),
        (
            ["--elstt.dim", "128", "--memory.policy", "bank", "--name", "x"],
            "elstt.dim: 96 in the checkpoint, 128 asked for, memory.policy: 'mca' in the "
            "checkpoint, 'bank' asked for; drop --elstt.dim, --memory.policy",
        ),
    ],
)
def test_overrides_that_reshape_a_checkpoint_are_named(checkpoint, words, message):
    words = ["--checkpoint", checkpoint, *words]
    found = refuse(r"^\S+/tiny: expected", parse_command, Arguments, words)
    assert found.endswith(f"found {message}")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("mavos", r"encoder\.kind: 'resnet' in the checkpoint, 'mobilenet_v2' asked for, .*"),
        ("aot_l", r"encoder\.kind: .*, elstt\.kind: 'elstt' in the checkpoint, 'lstt' asked .*"),
        ("r50_mavos", r"encoder\.width: 16 in the checkpoint, 64 asked for, encoder\.depths: .*"),
    ],
)
def test_file_of_another_network_than_the_checkpoint_is_named(checkpoint, file, changes):
    match = rf"^\S+/tiny holds 'tiny', .* '{file}' \({changes}\); drop --config or choose"
    words = ["--checkpoint", checkpoint, "--config", str(CONFIGS / f"{file}.py")]
    message = refuse(match, parse_command, Arguments, words)
    assert len(message) < 500
    assert "memory.gap" not in message
