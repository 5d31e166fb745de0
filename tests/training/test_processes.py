import pytest
from refusals import refuse

from mavos_jax.training.processes import connect, local_devices

SLURM = {
    **{"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "node1", "SLURM_NTASKS": "1"},
    **{"SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
}


@pytest.mark.parametrize("environment", [{}, SLURM])
def test_a_process_on_its_own_needs_no_others(environment):
    assert not connect(environment=environment)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("host:1",), {}, "--num_processes N and --process_id I"),
        (("host", 2, 0), {}, "--coordinator: expected HOST:PORT, found 'host'"),
        (("host:1", 2, 2), {}, "--process_id: expected 0 to 1"),
        ((), {"JAX_NUM_PROCESSES": "two"}, "JAX_NUM_PROCESSES: expected a number, found 'two'"),
    ],
)
def test_addresses_that_do_not_fit_are_refused(arguments, environment, words):
    refuse(words, connect, *arguments, environment=environment)


@pytest.mark.parametrize(
    ("tasks", "visible", "expected"),
    [
        ("4(x2)", "0,1,2,3", None),  # JAX takes the one of the task's number
        ("4(x2)", "0", [0]),  # --gpus-per-task=1
        ("1(x2)", "0,1,2,3", [0, 1, 2, 3]),  # --ntasks-per-node=1
        ("4", "", None),
    ],
)
def test_a_task_uses_its_own_gpus(tasks, visible, expected):
    environment = {"SLURM_STEP_TASKS_PER_NODE": tasks, "CUDA_VISIBLE_DEVICES": visible}
    assert local_devices(environment) == expected
