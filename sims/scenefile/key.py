"""What a key of a scene file may hold, and how its value is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vbsense._names import nearest
from vbsense.quantities import EXAMPLES, to_si

__all__ = ["REQUIRED", "Key", "read_table"]


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()


@dataclass(frozen=True)
class Key:
    """One key of a table.

    Parameters
    ----------
    name : str
    text : str
        What it means, for the reference.
    unit : str
        SI unit of a quantity; empty for everything else.
    kind : str
        "quantity", "whole", "text", "choice", "switch", "vector" (of `length` quantities), "wholes" (`length` whole
        numbers), or any number of them: "points" (vectors), "quantities", "integers".
    default : object
        `REQUIRED`, None (left out), or a value as it would stand in the file.
    low, high : float
        What is plausible, in SI units, both ends allowed.
    choices : tuple of str
        Of a choice.
    length : int
        Of a vector.
    """

    name: str
    text: str
    unit: str = ""
    kind: str = "quantity"
    default: Any = REQUIRED
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    length: int = 2

    def read(self, value: Any, table: str) -> Any:
        """The value in SI units, or a ValueError that names table, key, value and remedy."""
        try:
            return _READERS[self.kind](self, value)
        except ValueError as error:
            raise ValueError(f"[{table}] {self.name} = {_show(value)}: {error}") from None

    def one(self, value: Any) -> float:
        """One quantity in its range."""
        number = to_si(value, self.unit)
        if not self.low <= number <= self.high:
            raise ValueError(f"it must be {self.range()}{self._hint(value, number)}")
        return number

    def _hint(self, value: Any, number: float) -> str:
        if isinstance(value, str):
            return ""
        if self.unit == "1":
            return ' (5 % is 0.05 or "5%")' if self.high <= 1 < number else ""
        return " (a number without unit is in SI)"

    def range(self) -> str:
        """The plausible range in words."""
        low, high = (f"{v:.0f}" if self.unit == "" else _with_prefix(v, self.unit) for v in (self.low, self.high))
        if math.isinf(self.high):
            return "any number" if math.isinf(self.low) else f"at least {low}"
        if math.isinf(self.low):
            return f"at most {high}"
        unit = f" {self.unit}"
        return f"{low.removesuffix(unit) if high.endswith(unit) else low} to {high}"

    def allowed(self) -> str:
        """What a value may be, for the reference."""
        if self.kind in ("choice", "text", "switch"):
            return {"choice": self.example(), "text": "a text", "switch": "true or false"}[self.kind]
        bounded = not (math.isinf(self.low) and math.isinf(self.high))
        kind = "a whole number" if self.unit == "" else "a number" if self.unit == "1" else ""
        parts = [kind or f"in {self.unit}"] if kind or not bounded else []
        parts += [self.range()] if bounded else []
        many = {"vector": f"{self.length}, each ", "wholes": f"{self.length}, each ", "points": "many (x, y), each "}
        many |= dict.fromkeys(("quantities", "integers"), "many, each ")
        return many.get(self.kind, "") + ", ".join(parts)

    def example(self) -> str:
        """How a value is written."""
        quantity = f'"{EXAMPLES.get(self.unit, "1" + self.unit)}"'
        vector = "[" + ", ".join([quantity] * self.length) + "]"
        return {
            "quantity": quantity, "whole": "3", "text": '"..."', "switch": "true",
            "choice": " | ".join(f'"{c}"' for c in self.choices), "vector": vector,
            "wholes": "[" + ", ".join(["64"] * self.length) + "]", "integers": "[3, 17]", "points": f"[{vector}, ...]",
            "quantities": f"[{quantity}, ...]",
        }[self.kind]  # fmt: skip


def read_table(table: str, values: Any, keys: Iterable[Key]) -> dict[str, Any]:
    """Values of all keys in SI units, defaults where they are not given (None stays None).

    Raises
    ------
    ValueError
        For an unknown key (with the nearest known one), one that is missing, or a value that does not fit.

    Examples
    --------
    >>> keys = [Key("standoff", "height", "m"), Key("rows", "number of rows", kind="whole", default=3)]
    >>> read_table("sensor", {"standoff": "35 nm"}, keys)
    {'standoff': 3.5e-08, 'rows': 3}
    """
    known = {key.name: key for key in keys}
    if not isinstance(values, Mapping):
        raise ValueError(f"[{table}] is {_show(values)}; it must be a table: a line [{table}] and keys below it")
    for name in values:
        if name not in known:
            raise ValueError(f"[{table}] has no key {name!r}; {nearest(name, known)}")
    out = {}
    for name, key in known.items():
        value = values.get(name, key.default)
        if value is REQUIRED:
            raise ValueError(f"[{table}] has no {name} ({key.text}); write {name} = {key.example()}")
        out[name] = None if value is None else key.read(value, table)
    return out


def _quantity(key: Key, value: Any) -> float:
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise ValueError(f"one value is needed; write {key.example()}")
    return key.one(value)


def _whole(key: Key, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("it must be a whole number, without quotes")
    if not key.low <= value <= key.high:
        raise ValueError(f"it must be {key.range()}")
    return value


def _text(key: Key, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError('it must be a text in quotes: "..."')
    return value


def _choice(key: Key, value: Any) -> str:
    if value not in key.choices:
        raise ValueError(nearest(str(value), key.choices))
    return str(value)


def _switch(key: Key, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false, without quotes")
    return value


def _list(key: Key, value: Any, length: int | None) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence) or (length is not None and len(value) != length):
        needed = "a list is needed" if length is None else f"{length} values in brackets are needed"
        raise ValueError(f"{needed}; write {key.example()}")
    return value


def _vector(key: Key, value: Any) -> tuple[float, ...]:
    return tuple(key.one(v) for v in _list(key, value, key.length))


def _wholes(key: Key, value: Any) -> tuple[int, ...]:
    return tuple(_whole(key, v) for v in _list(key, value, key.length))


def _points(key: Key, value: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(_vector(key, v) for v in _list(key, value, None))


def _integers(key: Key, value: Any) -> tuple[int, ...]:
    return tuple(_whole(key, v) for v in _list(key, value, None))


def _quantities(key: Key, value: Any) -> tuple[float, ...]:
    return tuple(key.one(v) for v in _list(key, value, None))


_READERS = {
    "quantity": _quantity, "whole": _whole, "text": _text, "choice": _choice, "switch": _switch, "vector": _vector,
    "wholes": _wholes, "points": _points, "quantities": _quantities, "integers": _integers,
}  # fmt: skip


def _show(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _with_prefix(value: float, unit: str) -> str:
    if unit in ("m", "s", "A", "T", "Hz") and value and math.isfinite(value):
        for prefix, scale in (
            ("G", 1e9),
            ("M", 1e6),
            ("k", 1e3),
            ("", 1.0),
            ("m", 1e-3),
            ("u", 1e-6),
            ("n", 1e-9),
            ("p", 1e-12),
        ):
            if abs(value) >= scale * (1 - 1e-12):
                return f"{value / scale:.6g} {prefix}{unit}"
    return f"{value:g}" + ("" if unit in ("", "1") else f" {unit}")
