import dataclasses
import errno

import jax
import pytest
from refusals import refuse
from small_configs import vary
from training.stand_in import CONFIG, changed, same

from mavos_jax.checkpoints.weights import save
from mavos_jax.config import MemoryConfig, OptimizerConfig
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.runtime import files
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training import resume
from mavos_jax.training.start import opened_workdir, starting_variables


def fresh(seed, config=CONFIG):
    return init_variables(build_model(config), seed)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A checkpoint of DeAOT-L's kind, which has no MCA, and its variables."""
    path = tmp_path_factory.mktemp("weights") / "bank.safetensors"
    config = dataclasses.replace(CONFIG, memory=MemoryConfig(policy="bank"))
    variables = fresh(5, config)
    save(path, config, variables)
    return path, variables


def test_fresh_weights_follow_the_seed():
    variables, words = starting_variables(changed(seed=3))
    assert same(variables, fresh(3))
    assert "seed 3" in words


def test_what_a_checkpoint_lacks_starts_fresh_and_is_listed(stored):
    path, old = stored
    variables, words = starting_variables(changed(seed=3, start=str(path)))
    added, name = fresh(3), "memory_modulation"
    assert jax.tree.structure(variables) == jax.tree.structure(added)
    assert same(variables["params"]["elstt"], old["params"]["elstt"])
    assert same(variables["constants"], old["constants"])
    assert same(variables["params"][name], added["params"][name])
    assert f"{path} (small_mobilenet)" in words
    assert f"params/{name}/" in words


@pytest.mark.parametrize("is_torch", [False, True])
def test_named_parts_start_fresh(tmp_path, is_torch):
    path, old = tmp_path / "own", fresh(5)
    path.touch() if is_torch else save(path, CONFIG, old)
    parts = "memory_modulation", "decoder/conv_out"
    config = changed(seed=3, start=str(path), fresh=parts)
    variables, words = starting_variables(config, lambda *_: (old, "read"))
    found, old, new = (leaves_by_path(x["params"]) for x in (variables, old, fresh(3)))
    renewed = {name for name in found if name.startswith(parts)}
    assert {name.rpartition("/")[0] for name in renewed} > {"decoder/conv_out"}
    assert same(found, {name: (new if name in renewed else old)[name] for name in found})
    assert f"{len(renewed)} start fresh: " in words
    assert words.startswith("read\n" if is_torch else "starts from ")
    config = changed(start=str(path), fresh=("deco",))
    with pytest.raises(ValueError, match=r"training\.fresh: expected parts .*decoder, .* 'deco'"):
        starting_variables(config, lambda *_: (variables, ""))


def test_a_part_of_another_shape_can_start_fresh(stored):
    config = changed(start=str(stored[0]), fresh=("decoder",))
    wider = vary(config, decoder={"dim": 32})
    variables, _ = starting_variables(wider)
    assert same(variables["params"]["decoder"], fresh(0, wider)["params"]["decoder"])


@pytest.mark.parametrize("is_stored", [False, True])
def test_fresh_first_stages_are_not_frozen(stored, is_stored):
    fields = {"start": str(stored[0]), "fresh": ("encoder/stem",)} if is_stored else {}
    optimizer = OptimizerConfig(freeze_early=False, freeze_encoder=True)
    for config, option in ((OptimizerConfig(), "early"), (optimizer, "encoder")):
        config = changed(optimizer=config, **fields)
        refuse(rf"--training\.optimizer\.freeze_{option} False", starting_variables, config)


def test_nothing_starts_fresh_twice():
    refuse(r"training\.fresh: .*\('decoder',\)", changed, fresh=("decoder",))


def test_a_run_can_start_from_another(tmp_path, run, capsys):
    run(CONFIG, tmp_path / "first")
    run(changed(start=str(tmp_path / "first"), seed=7), tmp_path / "second")
    assert f"{tmp_path / 'first'} (small_mobilenet, step 4)\n" in capsys.readouterr().out


def test_weights_of_another_network_are_refused(stored):
    narrower = vary(changed(start=str(stored[0])), elstt={"num_blocks": 1})
    refuse(r"^training\.start: expected weights .*unexpected: ", starting_variables, narrower)


def test_torch_weights_are_converted_by_the_script(tmp_path):
    file = tmp_path / "mavos.pth"
    file.touch()
    config = changed(start=str(file))
    refuse(f"{file}.*convert_torch_weights", starting_variables, config)
    variables = {"params": {}, "constants": {}}
    assert starting_variables(config, lambda *_: (variables, "read")) == (variables, "read")


def enter(workdir):
    return opened_workdir(workdir).__enter__()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    refuse(r"an empty folder or that of a run, found thesis\.tex", enter, tmp_path)
    refuse("found a file", enter, tmp_path / "thesis.tex")
    assert [x.name for x in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_is_there_need_not_be_in_a_writable_one(tmp_path, monkeypatch):
    (tmp_path / "mount").mkdir()
    make = files.tempfile.TemporaryDirectory

    def refuse_here(dir, **options):
        if dir == tmp_path:
            raise OSError(errno.EACCES, "Permission denied")
        return make(dir=dir, **options)

    monkeypatch.setattr(files.tempfile, "TemporaryDirectory", refuse_here)
    with opened_workdir(tmp_path / "mount"):
        pass
    refuse(r"new/run\.lock: expected a path in a writable folder", enter, tmp_path / "new")


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with opened_workdir(tmp_path / "run") as workdir:
        assert workdir.is_dir()
        refuse("expected no other run there", enter, tmp_path / "run")
    with opened_workdir(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_locked_is_used_with_a_line(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", fail)
    with opened_workdir(tmp_path / "run") as workdir:
        assert workdir.is_dir()
    assert capsys.readouterr().out.count("cannot be locked") == 1


@pytest.mark.parametrize("content", [None, "x"])
def test_a_start_that_fails_leaves_nothing_empty_behind(tmp_path, content):
    opened = opened_workdir(tmp_path / "run")
    workdir = opened.__enter__()
    if content:
        (workdir / "metrics.jsonl").write_text(content)
    opened.__exit__(ValueError, ValueError("a defect of the start"), None)
    assert (tmp_path / "run").exists() == bool(content)


def test_processes_need_one_configuration_and_the_same_data(monkeypatch):
    first = []
    monkeypatch.setattr(resume, "broadcast", lambda own: (first.append(own), first[0])[1])
    for config in (CONFIG, changed({"threads": 7})):
        resume.require_one_run(config, "a-b")
    for config, data in ((changed(save_every=7), "a-b"), (CONFIG, "a-c")):
        refuse("one configuration .* on 1 of 1;", resume.require_one_run, config, data)
