"""Child processes, on Linux and on Windows: the simulated rig, the guard, the conversion of the spool.

They are started with ``Popen([sys.executable, "-m", ...])``, never with multiprocessing, which would
run an unguarded script a second time and cannot find a class that was made in a notebook.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

__all__ = ["detached", "environment", "ignore_interrupts", "start"]


def environment() -> dict[str, str]:
    """Environment in which a child finds whatever this process can import, and nothing else first.

    Without PYTHONSAFEPATH ``-m`` puts the working folder in front, where a file of the user may
    shadow a module.
    """
    path = os.pathsep.join(os.path.abspath(entry or os.getcwd()) for entry in sys.path)
    return os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def detached() -> dict[str, Any]:
    """Arguments of Popen that keep a Ctrl-C in the terminal from reaching the child."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def ignore_interrupts() -> None:
    """Leave Ctrl-C and a closed terminal to the parent: a child ends when its pipe does."""
    for name in ("SIGINT", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start ``python -m module`` with pipes to its stdin and from its stdout.

    Parameters
    ----------
    module : str
        Importable module with a main block.
    *arguments : str
        Command line.

    Returns
    -------
    subprocess.Popen
        Its stdin is the tie: it closes when this process ends, however it ends.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        **detached(),
    )
