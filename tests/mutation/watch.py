"""What readers do besides: files that change, memory that is taken."""

import re
from pathlib import Path


class Guard:
    """Remembers a folder, tells whether it is as it was, and brings it back."""

    def __init__(self, root):
        self._root = root
        self._content = {p: p.read_bytes() if p.is_file() else None for p in root.rglob("*")}
        self._sound = self.look()

    def look(self):
        """What is there: sizes, times and numbers of files by their paths, and folders."""
        found = {path: path.lstat() for path in self._root.rglob("*")}
        return {
            path: path.is_dir() or (status.st_size, status.st_mtime_ns, status.st_ino)
            for path, status in found.items()
        }

    def restore(self):
        """Brings back what has changed; tells whether anything had."""
        self._root.mkdir(exist_ok=True)
        found = self.look()
        if found == self._sound:
            return False
        for path in sorted(found, reverse=True):
            if found[path] != self._sound.get(path):
                (path.rmdir if found[path] is True else path.unlink)()
        for path, data in self._content.items():
            if found.get(path) == self._sound[path]:
                continue
            if data is None:
                path.mkdir()
            else:
                path.write_bytes(data)
        self._sound = self.look()
        return True


def put(path: Path, data: bytes) -> None:
    """Writes a file, and folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def memory(name):
    """Bytes that the process holds, ``VmRSS``, or has held at most, ``VmHWM``."""
    found = re.search(rf"^{name}:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
