"""A whole rig behind wires: the world, its instruments, their ports."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from vbsense.instruments.twin.camera import SimulatedCameraDevice
from vbsense.instruments.twin.control import Control
from vbsense.instruments.twin.faults import Faults
from vbsense.instruments.twin.server import Server
from vbsense.instruments.twin.source import SimulatedSMx
from vbsense.instruments.twin.supply import SimulatedGS200
from vbsense.instruments.twin.world import World
from vbsense.scene import Scene

__all__ = ["Twin", "build_scene"]


def build_scene(recipe: tuple[str, dict[str, Any]]) -> Scene:
    """Make a scene from its recipe.

    Parameters
    ----------
    recipe : (str, dict)
        ``"module:factory"`` and its keyword arguments.

    Raises
    ------
    ValueError, ImportError, AttributeError
        If there is no such factory, or if it does not make a scene.
    """
    name, arguments = recipe
    module, separator, factory = name.partition(":")
    if not separator:
        raise ValueError(f"recipe is {name!r}; it must be 'module:factory'")
    scene = getattr(importlib.import_module(module), factory)(**arguments)
    if not isinstance(scene, Scene):
        raise ValueError(f"{name} made a {type(scene).__name__}, which is no Scene")
    return scene


class Twin:
    """A simulated rig that is served from this process.

    Parameters
    ----------
    scene : Scene
        What the camera looks at.
    first_trigger : {"first", "second"}
        See `SimulatedSMx`.
    faults : list of dict, optional
        See `Fault`.
    **world
        Seed and imperfections, see `World`.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        first_trigger: str = "first",
        faults: list[dict[str, Any]] | None = None,
        **world: Any,
    ) -> None:
        # The first picture loads compiled code and computes images and spectra of the spots, which may take longer
        # than a driver waits for an answer: it is taken before anybody asks.
        nominal = float(getattr(getattr(scene, "conductor", None), "current", 0.0))
        scene.expose(scene.rate(3.4e9, power=0.0, current=nominal), 1e-3, np.random.default_rng(0))
        self.world, self.faults = World(scene, **world), Faults(faults)
        source = SimulatedSMx(self.world, first_trigger=first_trigger)
        supply = SimulatedGS200(self.world)
        self.world.source, self.world.supply = source, supply
        self.camera = SimulatedCameraDevice(self.world, self.faults)
        devices: dict[str, Any] = {"source": source, "current": supply, "camera": self.camera}
        devices["control"] = Control(self.world, self.faults)
        self._servers = {name: Server(name, device, self.faults) for name, device in devices.items()}

    @property
    def ports(self) -> dict[str, int]:
        """TCP port of ``source``, ``current``, ``camera`` and ``control``."""
        return {name: server.port for name, server in self._servers.items()}

    def close(self) -> None:
        """End the exposures and hang up."""
        self.camera.execute("ABOR")
        for server in self._servers.values():
            server.close()
        self.world.close()
