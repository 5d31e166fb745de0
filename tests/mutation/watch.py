"""What readers do besides: files that change, words that are said, memory that is taken."""

import contextlib
import io
import os
import re
import stat
import tempfile
import warnings
from pathlib import Path


class Guard:
    """Remembers a folder, tells whether it is as it was, and brings it back."""

    def __init__(self, root):
        self._root = root
        self._content = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
        self._folders = sorted(p for p in root.rglob("*") if p.is_dir())
        self._sound = self.look()

    def look(self):
        """What is there: sizes, times and numbers of files by their paths, and folders."""
        found = {}
        for path in self._root.rglob("*"):
            status = path.lstat()
            is_folder = stat.S_ISDIR(status.st_mode)
            found[path] = () if is_folder else (status.st_size, status.st_mtime_ns, status.st_ino)
        return found

    def restore(self):
        """Brings back what has changed; tells whether anything had."""
        self._root.mkdir(exist_ok=True)
        found = self.look()
        if found == self._sound:
            return False
        for path in sorted(found, reverse=True):
            if found[path] != self._sound.get(path):
                (os.rmdir if found[path] == () else os.unlink)(path)
        for path in self._folders:
            path.mkdir(exist_ok=True)
        for path, data in self._content.items():
            if found.get(path) != self._sound[path]:
                path.write_bytes(data)
        self._sound = self.look()
        return True


@contextlib.contextmanager
def listening():
    """Gathers what is said: warnings, and words on the standard error output."""
    said = []
    errors = io.StringIO()
    with (
        tempfile.TemporaryFile() as file,
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stderr(errors),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            said += [f"{w.category.__name__}: {w.message}" for w in caught]
            words = (errors.getvalue(), file.read().decode(errors="replace"))
            said += [" ".join(text.split()) for text in words if text.strip()]


def memory(name):
    """Bytes that the process holds, ``VmRSS``, or has held at most, ``VmHWM``."""
    found = re.search(rf"^{name}:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
