"""The writer of a spool: plain system calls, one descriptor, nothing buffered, no HDF5."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import time as clock
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vbsense.storage import durable
from vbsense.storage.spool_record import Key, encode, spool_path

__all__ = ["Spool"]

_NOWHERE = Key(0, 0, 0, 0)


class Spool:
    """Writer of a spool; one file descriptor, no buffer.

    Parameters
    ----------
    run : str or Path
        Folder of the run; it is created.
    header : dict
        What is known before the first frame, JSON-able. `finalise` needs ``frequency`` (Hz, ascending),
        ``shape`` (ny, nx), ``pixel_size`` (m), ``camera_gain`` (electron/count) and ``camera_offset``
        (counts), and uses ``polarities``, ``directions``, ``exposure`` (s), ``power`` (dBm),
        ``current`` (A), ``read_noise`` (electron), ``saturation`` (counts), ``order``, ``created``,
        ``seed``, ``reference``, ``attributes``, ``snapshot`` and ``plan``.
    durable : bool, default True
        Return from each call only when its bytes are on the disk.

    Raises
    ------
    FileExistsError
        If `run` already holds a spool.
    TypeError
        If the header is not JSON-able.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from vbsense.spool import read
    >>> header = {"frequency": [3.4e9, 3.5e9], "shape": [2, 3]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Spool(folder + "/run", header) as spool:
    ...         number = spool.append(np.full((2, 3), 100, np.uint16), Key(0, 0, 0, 1), time=0.0, counter=1)
    ...         spool.commit_sweep(0, True)
    ...     header, records = read(folder + "/run")
    ...     [record.kind for record in records], int(records[0].frame.sum())
    (['frame', 'commit', 'end'], 600)
    """

    def __init__(self, run: str | Path, header: dict[str, Any], *, durable: bool = True) -> None:
        try:
            payload = json.dumps(header).encode()
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"the header of a spool must be JSON-able: {error}; convert arrays with .tolist()"
            ) from None
        self.run, self.path = Path(run), spool_path(run)
        self._durable, self._header = durable, dict(header)
        self._descriptor: int | None = _create(self.path)
        self._state = (0, 0)  # length of the file and next sequence number, changed together
        try:
            for _ in range(2):  # a second copy: without a header no frame has a meaning
                self._write("header", _NOWHERE, payload)
        except BaseException:
            self._release()
            self.path.unlink(missing_ok=True)
            raise

    def append(self, frame: np.ndarray, key: Key, *, time: float, counter: int, flags: int = 0) -> int:
        """Add one frame; when this returns, the frame survives a crash.

        Parameters
        ----------
        frame : ndarray of uint16, (y, x)
            Counts as the camera gave them.
        key : Key
            The point that the frame belongs to. Frames of the same point are averaged.
        time : float
            When the frame was exposed (s since 1970).
        counter : int
            The camera's own frame number.
        flags : int, default 0
            Bits of the acquisition, kept with the frame; `finalise` does not look at them.

        Returns
        -------
        int
            Sequence number of the record.

        Raises
        ------
        TypeError, ValueError
            If frame or key do not fit the header; nothing is written.
        OSError
            If the disk is full or fails; the torn record is cut off and the spool stays readable.
        """
        frame = np.asarray(frame)
        if frame.dtype != np.uint16:
            raise TypeError(f"frame has dtype {frame.dtype}; a spool holds the camera's counts as uint16")
        if frame.ndim != 2 or list(frame.shape) != list(self._header.get("shape", frame.shape)):
            raise ValueError(f"frame has shape {frame.shape}; this spool holds {self._header.get('shape', '(y, x)')}")
        key = _checked(Key(*map(int, key)), self._header)
        counts = np.ascontiguousarray(frame, dtype="<u2")
        return self._write("frame", key, counts, time=float(time), counter=int(counter), flags=int(flags))

    def commit_sweep(self, sweep: int, accepted: bool, reason: str = "") -> None:
        """Say whether a sweep counts, with all its polarities and directions.

        Parameters
        ----------
        sweep : int
            Its number in the keys.
        accepted : bool
            If False, all its frames so far are left out of the result; it may be taken again under
            the same number.
        reason : str
            Why; it goes into the attribute ``history`` of the result.
        """
        payload = json.dumps({"accepted": bool(accepted), "reason": str(reason)}).encode()
        self._write("commit", _NOWHERE._replace(sweep=int(sweep)), payload, time=clock.time())

    def close(self, complete: bool) -> None:
        """Write the end record and close the file; a second call does nothing.

        Parameters
        ----------
        complete : bool
            Whether everything that was planned is in.
        """
        if self._descriptor is None:
            return
        try:
            self._write("end", _NOWHERE, json.dumps({"complete": bool(complete)}).encode(), time=clock.time())
            durable.sync_file(self._descriptor)
        finally:
            self._release()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close(complete=kind is None)
        except OSError as failure:
            if error is None:
                raise
            # The first error is the one to see; a spool without an end record can be recovered.
            error.add_note(f"the spool could not be closed either: {failure}")

    def _write(self, kind: str, key: Key, payload: Any, *, time: float = 0.0, counter: int = 0, flags: int = 0) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self.path} is closed; start a new run")
        length, sequence = self._state
        try:
            buffers = encode(sequence, kind, key, payload, time=time, counter=counter, flags=flags)
        except struct.error as error:
            raise ValueError(f"key {tuple(key)}, counter {counter} or flags {flags} out of range: {error}") from None
        try:
            self._cut(length)  # a record that was interrupted by Ctrl-C after its last byte does not count
            durable.write_all(self._descriptor, *buffers)
            if self._durable:
                durable.sync_file(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):  # tried again before the next record
                self._cut(length)
            kept = f"the {sequence} records before it are kept; free space and continue, or recover what is there"
            raise OSError(
                error.errno, f"{self.path}: cannot write record {sequence} ({error.strerror}); {kept}"
            ) from None
        self._state = (length + sum(memoryview(b).nbytes for b in buffers), sequence + 1)
        return sequence

    def _cut(self, length: int) -> None:
        assert self._descriptor is not None
        if os.fstat(self._descriptor).st_size > length:
            os.ftruncate(self._descriptor, length)

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _create(path: Path) -> int:
    """Open a new file in a folder that is made for it, and see that their names are on the disk."""
    folder = path.parent.resolve()
    grown = [folder, *(parent.parent for parent in (folder, *folder.parents) if not parent.exists())]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, durable.APPEND, 0o666)
    except FileExistsError:
        raise FileExistsError(f"{path} exists; give the run another folder, or recover and remove this one") from None
    for name in grown:
        durable.sync_folder(name)
    return descriptor


def _checked(key: Key, header: dict[str, Any]) -> Key:
    polarities = header.get("polarities") or [-1, 0, 1]
    if key.polarity not in polarities:
        raise ValueError(f"polarity is {key.polarity}; this spool holds {polarities}")
    limits = {
        "sweep": 1 << 31,
        "direction": len(header.get("directions") or ["up"]),
        "frequency": len(header.get("frequency", ())) or 1 << 32,
        "drive": 2,
    }
    for name, limit in limits.items():
        if not 0 <= getattr(key, name) < limit:
            raise ValueError(f"{name} is {getattr(key, name)}; this spool holds 0 to {limit - 1}")
    return key
