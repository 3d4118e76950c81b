"""The simulated rig: real drivers, real wires, a world behind them."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from typing import Any

from vbsense.instruments import process
from vbsense.instruments.camera.link import Link
from vbsense.instruments.camera.simulated import SimulatedCamera
from vbsense.instruments.current.gs200 import GS200Current
from vbsense.instruments.limits import Limits
from vbsense.instruments.microwave.rs_smx import RohdeSchwarzSMx
from vbsense.instruments.rig import Rig
from vbsense.scene import Scene

__all__ = ["WorldDoor", "simulated_rig"]

LIMITS = Limits(frequency=(9e3, 6e9), power=20.0, current=20e-3)
_numbers = itertools.count(1)  # QCoDeS refuses two instruments of one name in a process


class WorldDoor:
    """The door behind the stage of a simulated rig: its clock, its faults, its truth."""

    def __init__(self, port: int) -> None:
        self._link = Link("127.0.0.1", port)

    def wait(self, seconds: float) -> None:
        """Let `seconds` of world time pass, which takes no time."""
        self._ask({"wait": seconds})

    def fault(self, **fault: Any) -> None:
        """Plan a fault; see `vbsense.instruments.twin.faults.Fault`."""
        self._ask({"fault": fault})

    def state(self) -> dict[str, Any]:
        """What the instruments really do: time (s), frequency (Hz or None), power (dBm), current (A)."""
        return self._ask({"state": True})

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._link.send(json.dumps(request))
        answer: dict[str, Any] = json.loads(self._link.line(10.0))
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer


class SimulatedRig(Rig):
    """A rig with a `world` that can be asked for the truth."""

    world: WorldDoor


def simulated_rig(
    scene: Scene, *, seed: int = 0, limits: Limits = LIMITS, timeout: float = 2.0, **imperfections: Any
) -> SimulatedRig:
    """Start a simulated rig that looks at `scene`; use it in a ``with`` statement.

    The rig runs in a process of its own if the scene has a recipe, else in threads of this one.

    Parameters
    ----------
    scene : Scene
        What the camera looks at.
    seed : int
        Of the camera's noise.
    limits : Limits
        What may be set.
    timeout : float
        Of the drivers, for one reply (s).
    **imperfections
        ``settling`` (s), ``laser_drift`` (1/s), ``inverted_trigger``, ``first_trigger`` ("first" or
        "second"), ``readout`` (s), ``wall_clock``, ``faults`` (list of dict), ``log`` (file for events);
        see `vbsense.instruments.twin.world.World`.

    Returns
    -------
    Rig
        With ``source``, ``current``, ``camera``, ``attributes``, ``limits``, ``guard`` and ``world``.

    Raises
    ------
    TypeError
        For an unknown imperfection.
    RuntimeError
        If the rig cannot be started; the message has the reason.

    Examples
    --------
    >>> from vbsense import sims  # doctest: +SKIP
    >>> with simulated_rig(sims.gold_wire_nanoarray(), seed=1) as rig:  # doctest: +SKIP
    ...     rig.source.frequency()
    """
    settings = {"seed": seed} | imperfections
    if "log" in settings and settings["log"] is not None:
        settings["log"] = str(settings["log"])
    ports, stop = _in_thread(scene, settings) if scene.recipe is None else _in_process(scene.recipe, settings)
    try:
        return _connect(ports, scene, stop, limits=limits, seed=seed, timeout=timeout)
    except BaseException:
        stop()
        raise


def _in_thread(scene: Scene, settings: dict[str, Any]) -> tuple[dict[str, int], Callable[[], None]]:
    from vbsense.instruments.twin.serve import Twin

    twin = Twin(scene, **settings)
    return twin.ports, twin.close


def _in_process(recipe: Any, settings: dict[str, Any]) -> tuple[dict[str, int], Callable[[], None]]:
    child = process.start("vbsense.instruments.twin")
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps({"recipe": list(recipe)} | settings) + "\n")
    child.stdin.flush()
    answer = json.loads(child.stdout.readline() or '{"error": "it ended without a word"}')
    if "error" in answer:
        child.wait(10)
        kind = TypeError if answer["error"].startswith("TypeError") else RuntimeError
        raise kind(f"the simulated rig did not start: {answer['error']}")
    return answer, lambda: _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write("done\n")
        child.stdin.close()
    except OSError:
        pass  # it has ended already
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def _connect(
    ports: dict[str, int], scene: Scene, stop: Callable[[], None], *, limits: Limits, seed: int, timeout: float
) -> SimulatedRig:
    number, world = next(_numbers), WorldDoor(ports["control"])
    address = {name: f"TCPIP::127.0.0.1::{port}::SOCKET" for name, port in ports.items()}
    source = RohdeSchwarzSMx(
        f"simulated_source_{number}",
        address["source"],
        frequency_range=limits.frequency,
        power_range=(-145.0, limits.power),
        timeout=timeout,
    )
    current = GS200Current(
        f"simulated_current_{number}", address["current"], limit=limits.current, wait=world.wait, timeout=timeout
    )
    camera = SimulatedCamera(f"simulated_camera_{number}", "127.0.0.1", ports["camera"], timeout=timeout)

    def close() -> None:
        world.close()
        stop()

    attributes = dict(scene.attributes)
    rig = SimulatedRig(
        source, current, camera, limits=limits, attributes=attributes, wait=world.wait, seed=seed, on_close=close
    )
    rig.world = world
    return rig
