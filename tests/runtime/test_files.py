import errno
import threading

import pytest
from refusals import refuse
from small_configs import BANK

from mavos_jax.checkpoints.weights import require_free
from mavos_jax.conversion.transfer import convert_file, export_file
from mavos_jax.runtime.files import WriteBehind, inside, require_writable_parent, written_whole


def write(path, error=None):
    with written_whole(path) as temporary:
        temporary.write_text("whole")
        assert not path.is_file() or path.read_text() == "old"
        if error:
            raise error


@pytest.mark.parametrize("name", ["file.txt", f"{83 * '帧'}.png"])
def test_a_file_appears_when_it_is_whole(tmp_path, name):
    path = tmp_path / "new" / name
    write(path)
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_exception_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write(path, KeyboardInterrupt())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


FULL = OSError(errno.ENOSPC, "No space left on device")
ELSEWHERE = PermissionError(errno.EACCES, "Permission denied", "elsewhere.png")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FULL, r"No space left on device: '.*/file\.txt'$"),
        (ELSEWHERE, r"Permission denied: 'elsewhere\.png'$"),
        (None, r"Is a directory: '.*/file\.txt'$"),
        (OSError("encoder error"), r"/file\.txt: encoder error$"),
    ],
)
def test_a_failed_write_names_the_file_that_was_meant(tmp_path, error, message):
    if error is None:
        (tmp_path / "file.txt").mkdir()
    with pytest.raises(OSError, match=message) as caught:
        write(tmp_path / "file.txt", error)
    assert "partial" not in str(caught.value)
    assert not list(tmp_path.glob(".*"))


def test_calls_run_in_order_and_are_finished_in_the_end():
    results = []
    with WriteBehind(max_pending=2) as queue:
        for number in range(20):
            queue.submit(results.append, number)
    assert results == list(range(20))


def test_waiting_calls_are_bounded():
    gate, running = threading.Event(), threading.Event()

    def block():
        running.set()
        gate.wait()

    with WriteBehind(max_pending=1) as queue:
        queue.submit(block)
        running.wait()
        blocked = threading.Thread(target=lambda: queue.submit(int))
        blocked.start()
        blocked.join(0.05)
        assert blocked.is_alive()
        gate.set()
        blocked.join()


def fail():
    raise OSError("disk full")


def test_a_failed_call_surfaces_at_the_end_or_while_more_are_submitted():
    queue = WriteBehind(max_pending=1)
    queue.submit(fail)
    with pytest.raises(OSError, match="disk full"), queue:
        pass
    with WriteBehind(max_pending=1) as queue:
        queue.submit(fail)
        with pytest.raises(OSError, match="disk full"):
            queue.submit(int)


def test_an_exception_of_the_block_comes_before_that_of_a_call():
    def interrupted():
        with WriteBehind() as queue:
            queue.submit(fail)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


@pytest.mark.parametrize("name", ["a", "a/b/c.png", "a/../b", "..a", "a ..", "a\\b", "a\nb"])
@pytest.mark.parametrize("root", ["out", "linked"])
def test_a_path_below_the_root_is_inside(tmp_path, root, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "linked").symlink_to("out")
    assert inside(tmp_path / root, tmp_path / root / name) == tmp_path / root / name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../other", "a/../..", "../out-of-it/a", "{tmp}/other", "/", "a\0b", "led/a"],
)
def test_a_path_that_leads_out_is_refused(tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "out" / "led").symlink_to(tmp_path / "other")
    inside(tmp_path / "out", tmp_path / "out" / "led")  # the link itself may be replaced
    path = tmp_path / "out" / name.format(tmp=tmp_path)
    refuse("expected a path below", inside, tmp_path / "out", path)


def test_a_relative_path_is_compared_with_a_relative_root(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert str(inside("../out", "../out/a")) == "../out/a"
    inside(".", "a")
    refuse("found that it leads to", inside, ".", "../a")


@pytest.mark.parametrize("path", ["file/x", "file/x/y.npz", "gone/x", "/proc/x"])
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
