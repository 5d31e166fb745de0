import pytest
from refusals import refuse
from small_configs import BANK

from mavos_jax.checkpoints.folder import require_free
from mavos_jax.conversion.transfer import convert_file, export_file
from mavos_jax.runtime.files import require_writable_parent

IMPOSSIBLE = ("file/x", "file/x/y.npz", "gone/x", "/proc/x")


@pytest.mark.parametrize("path", IMPOSSIBLE)
@pytest.mark.parametrize(
    "write",
    [
        require_writable_parent,
        require_free,
        lambda path: require_free(path, overwrite=True),
        lambda path: convert_file(BANK, path.parent / "no_weights", path),
        lambda path: export_file(path.parent / "no_checkpoint", path),
    ],
    ids=["parent", "free", "overwrite", "convert", "export"],
)
def test_impossible_paths_are_refused(tmp_path, path, write):
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "absent")
    refuse(r"^\S+: expected a path in a .*; choose another path$", write, tmp_path / path)


def test_possible_paths_leave_no_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("x", "new/folders/x", tmp_path / "x"):
        require_writable_parent(path)
    assert not list(tmp_path.iterdir())
