"""One writer for each run file: a lock that the kernel lets go of when the process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from snapdrift.errors import RunBusyError, StoreError
from snapdrift.store.own_files import open_own


class RunLock:
    """An exclusive `flock` on `<run>.lock` beside the run file, which holds the writer's process id while held."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, run_path: Path) -> RunLock:
        """The lock of a run file; raises `RunBusyError` naming the process that has it, `StoreError` if unwritable."""
        path = run_path.with_suffix(".lock")
        while True:
            try:
                descriptor = open_own(path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise StoreError(
                    f"{path}: cannot be written; check the folder and its permissions ({error})"
                ) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _is_same_file(descriptor, path):  # its last owner removed it between our two calls
                    os.close(descriptor)
                    continue
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
            except BlockingIOError:
                owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise RunBusyError(
                    f"{run_path}: process {owner or 'unknown'} is working on this run; wait for it or end it"
                ) from None
            except OSError as error:
                os.close(descriptor)
                raise StoreError(f"{path}: the file system does not let it be locked ({error})") from error
            return cls(path, descriptor)

    def release(self) -> None:
        """Lets go of the lock and removes its file. A second call does nothing."""
        if self._descriptor is None:
            return
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
