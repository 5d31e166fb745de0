"""What readers do besides: files that change, memory that is taken."""

import re
from pathlib import Path


def look(root: Path) -> dict[Path, object]:
    """What is below a folder: sizes, times and numbers of files by their paths, and folders."""
    found = {path: path.lstat() for path in root.rglob("*")}
    return {
        path: path.is_dir() or (status.st_size, status.st_mtime_ns, status.st_ino)
        for path, status in found.items()
    }


def put(path: Path, data: bytes) -> None:
    """Writes a file, and folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def memory(name):
    """Bytes that the process holds, ``VmRSS``, or has held at most, ``VmHWM``."""
    found = re.search(rf"^{name}:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
