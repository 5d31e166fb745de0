import dataclasses
import errno

import jax
import pytest
from training.stand_in import CONFIG, changed, same

from mavos_jax.checkpoints.folder import save
from mavos_jax.config import MemoryConfig, OptimizerConfig
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.runtime import files
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training.start import opened_workdir, starting_variables


def same_leaves(first, second):
    return same(jax.tree.leaves(first), jax.tree.leaves(second))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A checkpoint of DeAOT-L's kind, which has no MCA, and its variables."""
    path = tmp_path_factory.mktemp("weights") / "bank"
    config = dataclasses.replace(CONFIG, memory=MemoryConfig(policy="bank"))
    variables = init_variables(build_model(config), 5)
    save(path, config, variables)
    return path, variables


def test_fresh_weights_follow_the_seed():
    variables, words = starting_variables(changed(seed=3))
    assert same_leaves(variables, init_variables(build_model(CONFIG), 3))
    assert "seed 3" in words


def test_what_a_checkpoint_lacks_starts_fresh_and_is_listed(stored):
    path, old = stored
    variables, words = starting_variables(changed(seed=3, start=str(path)))
    fresh = init_variables(build_model(CONFIG), 3)
    assert jax.tree.structure(variables) == jax.tree.structure(fresh)
    assert same_leaves(variables["params"]["elstt"], old["params"]["elstt"])
    assert same_leaves(variables["constants"], old["constants"])
    name = "memory_modulation"
    assert same_leaves(variables["params"][name], fresh["params"][name])
    assert f"{path} (small_mobilenet)" in words
    assert f"params/{name}/" in words


@pytest.mark.parametrize("is_torch", [False, True])
def test_named_parts_start_fresh(tmp_path, is_torch):
    old, fresh = (init_variables(build_model(CONFIG), seed) for seed in (5, 3))
    path = tmp_path / "own"
    path.touch() if is_torch else save(path, CONFIG, old)
    parts = "memory_modulation", "decoder/conv_out"
    config = changed(seed=3, start=str(path), fresh=parts)
    variables, words = starting_variables(config, lambda *_: (old, "read"))
    found, old, fresh = (leaves_by_path(x["params"]) for x in (variables, old, fresh))
    renewed = {name for name in found if name.startswith(parts)}
    assert {name.rpartition("/")[0] for name in renewed} > {"decoder/conv_out"}
    for name, leaf in found.items():
        assert same([leaf], [(fresh if name in renewed else old)[name]])
    assert f"{len(renewed)} start fresh: " in words
    assert words.startswith("read\n" if is_torch else "starts from ")
    with pytest.raises(ValueError, match=r"training\.fresh: expected parts .*decoder, .* 'deco'"):
        starting_variables(changed(start=str(path), fresh=("deco",)), lambda *_: (variables, ""))


def test_a_part_of_another_shape_can_start_fresh(stored):
    wider = dataclasses.replace(CONFIG, decoder=dataclasses.replace(CONFIG.decoder, dim=32))
    start = changed(start=str(stored[0]), fresh=("decoder",)).training
    variables, _ = starting_variables(dataclasses.replace(wider, training=start))
    expected = init_variables(build_model(wider))["params"]["decoder"]
    assert same_leaves(variables["params"]["decoder"], expected)


def test_fresh_first_stages_are_not_frozen(stored):
    frozen = dataclasses.replace(CONFIG.training, optimizer=OptimizerConfig())
    for fields in ({}, {"start": str(stored[0]), "fresh": ("encoder/stem",)}):
        config = dataclasses.replace(CONFIG, training=dataclasses.replace(frozen, **fields))
        with pytest.raises(ValueError, match=r"--training\.optimizer\.freeze_early False"):
            starting_variables(config)
    optimizer = OptimizerConfig(freeze_early=False, freeze_encoder=True)
    with pytest.raises(ValueError, match=r"--training\.optimizer\.freeze_encoder False"):
        starting_variables(changed(optimizer=optimizer))


def test_nothing_starts_fresh_twice():
    with pytest.raises(ValueError, match=r"training\.fresh: expected .*found \('decoder',\)"):
        changed(fresh=("decoder",))


def test_a_run_can_start_from_another(tmp_path, run, capsys):
    run(CONFIG, tmp_path / "first")
    config = changed(start=str(tmp_path / "first"), seed=7)
    run(config, tmp_path / "second")
    assert f"{tmp_path / 'first'} (small_mobilenet, step 4)\n" in capsys.readouterr().out


def test_weights_of_another_network_are_refused(stored):
    config = changed(start=str(stored[0]))
    wider = dataclasses.replace(config, elstt=dataclasses.replace(config.elstt, num_blocks=1))
    with pytest.raises(ValueError, match=r"^training\.start: expected weights .*unexpected: .*$"):
        starting_variables(wider)
    with pytest.raises(ValueError, match="expected a checkpoint folder, found nothing"):
        starting_variables(changed(start="nowhere"))


def test_torch_weights_are_converted_by_the_script(tmp_path):
    file = tmp_path / "mavos.pth"
    file.touch()
    config = changed(start=str(file))
    with pytest.raises(ValueError, match="convert it with convert_torch_weights"):
        starting_variables(config)
    variables = {"params": {}, "constants": {}}
    assert starting_variables(config, lambda *_: (variables, "read")) == (variables, "read")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"an empty folder or that of a run, found thesis\.tex"):
        opened_workdir(tmp_path).__enter__()
    with pytest.raises(ValueError, match="found a file"):
        opened_workdir(tmp_path / "thesis.tex").__enter__()
    assert [x.name for x in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_is_there_need_not_be_in_a_writable_one(tmp_path, monkeypatch):
    (tmp_path / "mount").mkdir()
    make = files.tempfile.TemporaryDirectory

    def refuse(dir, **options):
        if dir == tmp_path:
            raise OSError(errno.EACCES, "Permission denied")
        return make(dir=dir, **options)

    monkeypatch.setattr(files.tempfile, "TemporaryDirectory", refuse)
    with opened_workdir(tmp_path / "mount"):
        pass
    with pytest.raises(ValueError, match=r"new/run\.lock: expected a path in a writable folder"):
        opened_workdir(tmp_path / "new").__enter__()


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with opened_workdir(tmp_path / "run") as workdir:
        assert workdir.is_dir()
        with pytest.raises(ValueError, match="expected no other run there"):
            opened_workdir(tmp_path / "run").__enter__()
    with opened_workdir(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_locked_is_used_with_a_line(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", fail)
    with opened_workdir(tmp_path / "run") as workdir:
        assert workdir.is_dir()
    assert capsys.readouterr().out.count("cannot be locked") == 1


def test_a_start_that_fails_leaves_nothing_behind(tmp_path):
    for name, content in (("run", None), ("kept", "x")):
        opened = opened_workdir(tmp_path / name)
        workdir = opened.__enter__()
        if content:
            (workdir / "metrics.jsonl").write_text(content)
        opened.__exit__(ValueError, ValueError("a defect of the start"), None)
    assert [x.name for x in tmp_path.iterdir()] == ["kept"]
