"""The bands of a fit on the workers of a dask cluster: this process reads and collects, they compute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from vbsense.analysis._bands import Band
from vbsense.analysis._bandwise import Job, Solved
from vbsense.analysis._task import Task

__all__ = ["check_client", "solve_on"]

AHEAD = 2  # bands under way for each thread of a worker


def check_client(client: Any) -> None:
    """Raise TypeError if `client` is no client of a dask cluster, ValueError if it is an asynchronous one."""
    wanted = ("scatter", "submit", "compute", "cancel", "nthreads")
    if not all(callable(getattr(client, name, None)) for name in wanted):
        raise TypeError(f"client is {client!r:.60}; give a dask.distributed.Client, or None")
    if getattr(client, "asynchronous", False):
        raise ValueError("client is asynchronous; give one that was made without asynchronous=True")


def check_task(task: Task) -> None:
    """Raise ValueError if the fit cannot be sent to other processes."""
    import cloudpickle

    try:
        cloudpickle.dumps(task)
    except Exception as error:
        line = str(error).partition("\n")[0]
        raise ValueError(
            f"model {task.plan.model.name!r} cannot be sent to other processes ({line}); define its function and its "
            "kernel in a module that the workers can import, or fit without client"
        ) from error


def solve_on(client: Any, job: Job) -> Iterator[Solved]:
    """Bands of `job`, fitted by the workers of `client`, in order."""
    check_task(job.task)
    task = client.scatter(job.task, broadcast=True, hash=False)
    most = AHEAD * max(sum(client.nthreads().values()), 1)
    ahead: deque[tuple[Band, Any]] = deque()
    try:
        for band in job.bands:
            ahead.append((band, _submit(client, task, job, band)))
            if len(ahead) > most:
                yield _solved(*ahead.popleft())
        while ahead:
            yield _solved(*ahead.popleft())
    finally:
        client.cancel([future for _, future in ahead])


def _submit(client: Any, task: Any, job: Job, band: Band) -> Any:
    names = ["signal", *(["signal_err"] if job.task.plan.error is not None else [])]
    data = [_send(client, job, band, name) for name in names]
    return client.submit(Task.solve, task, band.plane, data[0], (*data, None)[1], *job.said(band.spectra), pure=False)


def _send(client: Any, job: Job, band: Band, name: str) -> Any:
    """Data of a band on the cluster: dask computes its own there, others are read here."""
    part = job.source.lazy(band, name)
    return client.compute(part.data) if part.chunks is not None else client.scatter(part.values, hash=False)


def _solved(band: Band, future: Any) -> Solved:
    return Solved(band, future.result())
