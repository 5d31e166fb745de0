"""Files: written whole, read ahead, locked and checksummed; and whether a path can be written."""

import collections
import contextlib
import fcntl
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_NUM_DECODERS = 4
_MAX_DECODED = 16  # frames that wait decoded, which bounds the memory they take
_CHUNK = 1 << 20
_MAX_NAME_BYTES = 230  # of the 255 that file systems take, with room for a temporary name


@contextlib.contextmanager
def written_whole(path: Path, *, is_flushed: bool = False) -> Iterator[Path]:
    """Gives a temporary name beside ``path`` that takes its place once the block has succeeded.

    Folders are made as needed. After an exception, what was at ``path`` stays; an OSError names
    ``path``. A flushed file is on the disk when the block ends, and outlives a loss of power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        name = f"{short_hash([os.fsencode(name)])}{path.suffix}"
    temporary = path.with_name(f".{name}.{os.getpid()}.partial")
    try:
        yield temporary
        if is_flushed:
            flush(temporary)
        os.replace(temporary, path)
        if is_flushed:
            flush(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # Errors of other files may pass through here, and keep their names.
        if isinstance(error, OSError) and error.filename in (None, str(temporary), temporary):
            if error.errno is None:
                raise OSError(f"{path}: {error}") from error
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def replace_folder(path: Path, new: Path, old: Path) -> None:
    """Moves a folder to ``path`` and what was there to ``old``, or leaves everything in place."""
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        raise


def flush(path: Path) -> None:
    """Waits until a file's content, or the names in a folder, are on the disk."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(opened)


class WriteBehind(contextlib.AbstractContextManager["WriteBehind"]):
    """Runs calls on other threads while the caller goes on; on one thread, in order.

    At most ``max_pending`` calls wait. A later :meth:`submit`, or the end of the ``with`` block,
    which waits for all, raises the first exception of one.
    """

    def __init__(self, max_pending: int = 8, num_threads: int = 1):
        self._max_pending = max_pending
        self._pending: collections.deque[Future[object]] = collections.deque()
        self._executor = ThreadPoolExecutor(num_threads, thread_name_prefix="write-behind")

    def submit(self, call: Callable[..., object], *arguments: Any) -> None:
        """Queues ``call(*arguments)``, after waiting for room."""
        while len(self._pending) >= self._max_pending:
            self._pending.popleft().result()
        self._pending.append(self._executor.submit(call, *arguments))

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._executor.shutdown(wait=True)
        if error is None:
            for future in self._pending:
                future.result()


def decoded_ahead(read: Callable[[int], np.ndarray], count: int) -> Generator[np.ndarray]:
    """Yields what ``read``, called on several threads, returns for 0 to ``count`` - 1, in order."""
    with ThreadPoolExecutor(_NUM_DECODERS, thread_name_prefix="decode-ahead") as pool:
        waiting: collections.deque[Future[np.ndarray]] = collections.deque()
        try:
            for index in range(count):
                waiting.append(pool.submit(read, index))
                if len(waiting) > _MAX_DECODED:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def expand_home(word: str) -> str:
    """Expands ``~``, which shells leave in ``--output=~/masks``."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + os.path.expanduser(value)


def is_endless(path: Path) -> bool:
    """Whether a path is a pipe, a socket or a device, which may never end."""
    return path.exists() and not path.is_file() and not path.is_dir()


def require_writable_parent(path: str | os.PathLike[str]) -> None:
    """Raises ValueError unless the nearest existing parent of a path takes new files."""
    parent = Path(os.path.abspath(path)).parent
    while not os.path.lexists(parent):
        parent = parent.parent
    if not parent.is_dir():
        raise ValueError(
            f"{path}: expected a path in a folder, found that {parent} is not a folder; choose "
            "another path"
        )
    # Permissions do not tell: an administrator's are ignored, ``/proc`` takes nothing.
    try:
        with tempfile.TemporaryDirectory(prefix=".writable-", dir=parent):
            pass
    except OSError as error:
        raise ValueError(
            f"{path}: expected a path in a writable folder, found that {parent} takes no new files "
            f"({error.strerror}); choose another path"
        ) from None


def require_new(path: Path, overwrite: bool = False) -> None:
    """Raises ValueError if a path exists, unless it may be overwritten."""
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path}: expected a new file, found that it exists; give another --output, or "
            "--overwrite"
        )


def inside(root: str | os.PathLike[str], path: str | os.PathLike[str]) -> Path:
    """Returns ``path`` if it lies below ``root`` once links among its parents are followed.

    To be called before a path is written or removed. A link at ``path`` itself is not followed:
    replacing it does not touch its target. Else, or if it cannot name a file, raises ValueError.
    """
    path = Path(path)
    leads_to = "no file"
    if path.name not in ("", "..") and "\0" not in str(path):
        leads_to = os.path.join(os.path.realpath(path.parent), path.name)
        if leads_to.startswith(os.path.join(os.path.realpath(root), "")):
            return path
    raise ValueError(
        f"{str(path)!r}: expected a path below {root}, found that it leads to {leads_to}; nothing "
        "outside is written or removed; choose another name or folder"
    )


class LockFile(NamedTuple):
    """An open file, never written, whose locks count between processes and within one."""

    path: Path
    descriptor: int

    def take(self, *, shared: bool = False, waits: bool = False) -> bool:
        """Locks the file, replacing its lock; returns False if somebody else holds it."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, kind if waits else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            words = f"cannot be locked: {error.strerror}"
            raise OSError(error.errno, words, str(self.path)) from error
        return True


@contextlib.contextmanager
def opened_lock(path: Path) -> Iterator[LockFile]:
    """Opens a file to lock, creating it if needed; refuses links; the lock ends with the block."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        yield LockFile(path, descriptor)
    finally:
        os.close(descriptor)


def checksum(content: bytes | str) -> str:
    """Returns the CRC-32 of some bytes, or of a text in UTF-8, as eight hexadecimal digits."""
    return f"{zlib.crc32(_encoded(content)):08x}"


def file_checksum(path: Path) -> str:
    """Returns the CRC-32 of a file, read in pieces."""
    total = 0
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return f"{total:08x}"


def file_checksums(folder: Path) -> dict[str, str]:
    """Returns the CRC-32 of every file below a folder by its relative name.

    Raises OSError for a folder that is missing or cannot be listed; a search would skip it.
    """

    def fail(error: OSError) -> None:
        raise error

    walked = os.walk(folder, onerror=fail)
    files = sorted(Path(place, name) for place, _, names in walked for name in names)
    return {x.relative_to(folder).as_posix(): file_checksum(x) for x in files if x.is_file()}


def short_hash(parts: Iterable[bytes | str]) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of all parts, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_encoded(part))
    return digest.hexdigest()[:16]


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
