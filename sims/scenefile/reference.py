"""The reference of all keys, made from the tables that files are read with."""

from __future__ import annotations

import textwrap

from vbsense.sims.scenefile.key import REQUIRED, Key
from vbsense.sims.scenefile.keys import CONDUCTORS, SENSORS, TABLES

__all__ = ["reference"]


def reference() -> str:
    """All tables and keys of a scene file, with meaning, example and default.

    Returns
    -------
    str

    Examples
    --------
    >>> "standoff" in reference()
    True
    """
    parts = [_INTRODUCTION]
    for table in ("scene", "conductor", "sensor", *[name for name in TABLES if name != "scene"]):
        if table == "conductor":
            parts.append("[conductor]      what carries the current; several in series: [[conductor]] for each")
            parts += [_section(f'kind = "{kind}"', keys) for kind, keys in CONDUCTORS.items()]
        elif table == "sensor":
            parts.append("[sensor]         what shines")
            parts += [_section(f'kind = "{kind}"', keys) for kind, keys in SENSORS.items()]
        else:
            parts.append(_section(f"[{table}]", TABLES[table]))
            if table == "microwave":
                parts.append("[microwave.antenna]  a conductor as above: the amplitude follows its field across c")
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
Keys of a scene file (TOML). A quantity is a number in SI units or a text with its unit, such as "35 nm".
x and y count from the middle of the picture, y upwards with the rows; z = 0 is the top face of the conductor,
c = z. [conductor], [sensor], [microscope] and [light] are needed; so are the keys with a star."""


def _section(title: str, keys: tuple[Key, ...]) -> str:
    lines = [title]
    for key in keys:
        given = "" if key.default is REQUIRED else "" if key.default is None else f" (default {_as_toml(key.default)})"
        text = textwrap.wrap(f"{key.text}{given}; {key.allowed()}", 84)
        lines += [f"  {key.name if k == 0 else '':<20}{'*' if key.default is REQUIRED and k == 0 else ' '} {line}"
                  for k, line in enumerate(text)]  # fmt: skip
    return "\n".join(lines)


def _as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return str(value)
