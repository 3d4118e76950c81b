"""SCPI as instruments speak it: short and long forms, any case, units, compound messages, an error queue.

An instrument declares its commands as patterns of the manual, ``[:SOURce]:FREQuency[:CW]``, each with
what it takes: a `Number`, a `Choice`, a `Switch`, or a function. The grammar is that of SCPI-99
volume 1: after ``;`` a header without a leading colon continues at the level of the header before it.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

__all__ = ["Choice", "Device", "Number", "ScpiError", "Switch", "compile_header", "parse_number"]

ERRORS = {
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -131: "Invalid suffix",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -300: "Device-specific error",
    -350: "Queue overflow",
}
# Multipliers of SCPI: M is milli, except for MHZ, which is mega.
MULTIPLIERS = {"G": 1e9, "MA": 1e6, "K": 1e3, "": 1.0, "M": 1e-3, "U": 1e-6, "N": 1e-9}
QUEUE = 20


class ScpiError(Exception):
    """An entry for the error queue."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Number:
    """A setting that is a number in `unit` between `low` and `high`."""

    low: float
    high: float
    unit: str = ""
    default: float = 0.0

    def read(self, text: str) -> float:
        """Value of a parameter."""
        special = {"MIN": self.low, "MAX": self.high, "DEF": self.default}.get(text.upper()[:3])
        value = parse_number(text, self.unit) if special is None else special
        if not self.low <= value <= self.high:
            raise ScpiError(-222, text)
        return value

    def show(self, value: float) -> str:
        """Value of a reply."""
        return f"{value:.12g}"


@dataclass(frozen=True)
class Choice:
    """A setting that is one of some keywords, written as in the manual (``IMMediate``); the first is the default."""

    keywords: tuple[str, ...]

    @property
    def default(self) -> str:
        """Short form of the first keyword."""
        return _short(self.keywords[0])

    def read(self, text: str) -> str:
        """Short form of the keyword that `text` names."""
        for keyword in self.keywords:
            if text.upper() in (keyword.upper(), _short(keyword)):
                return _short(keyword)
        raise ScpiError(-224, text)

    def show(self, value: str) -> str:
        """Value of a reply."""
        return value


@dataclass(frozen=True)
class Switch:
    """A setting that is ON or OFF."""

    default: bool = False

    def read(self, text: str) -> bool:
        """True for ON and any number but 0."""
        if text.upper() in ("ON", "OFF"):
            return text.upper() == "ON"
        return parse_number(text, "") != 0

    def show(self, value: bool) -> str:
        """Value of a reply."""
        return "1" if value else "0"


Setting = Number | Choice | Switch


def _short(keyword: str) -> str:
    return "".join(c for c in keyword if not c.islower())


def compile_header(pattern: str) -> re.Pattern[str]:
    """Regular expression of a header as the manual writes it.

    Parameters
    ----------
    pattern : str
        For example ``"[:SOURce]:FREQuency[:CW]"``; upper case is the short form, brackets are optional.

    Examples
    --------
    >>> header = compile_header("[:SOURce]:FREQuency[:CW]")
    >>> [bool(header.fullmatch(text)) for text in (":FREQ", ":SOUR:FREQUENCY:CW", ":FREQUEN")]
    [True, True, False]
    """

    def node(match: re.Match[str]) -> str:
        keyword = match.group()
        rest = keyword[len(_short(keyword)) :]
        return f"{_short(keyword)}(?:{rest.upper()})?" if rest else keyword

    expression = re.sub(r"[A-Za-z*]+", lambda m: node(m).replace("*", r"\*"), pattern)
    expression = expression.replace("[", "(?:").replace("]", ")?")
    return re.compile(expression, re.IGNORECASE)


def parse_number(text: str, unit: str) -> float:
    """Number with an optional unit of the kind `unit`, in that unit.

    Examples
    --------
    >>> parse_number("2.95 GHz", "Hz"), parse_number("5mA", "A"), parse_number("-3dBm", "dBm")
    (2950000000.0, 0.005, -3.0)
    """
    match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*([A-Z]*)", text.strip().upper())
    if match is None:
        raise ScpiError(-104, text)
    value, suffix = float(match.group(1)), match.group(2)
    if not math.isfinite(value):
        raise ScpiError(-222, text)
    if not suffix:
        return value
    if not unit or not suffix.endswith(unit.upper()):
        raise ScpiError(-131, text)
    prefix = suffix[: len(suffix) - len(unit)]
    if unit == "Hz" and prefix == "M":
        return value * 1e6
    if prefix not in MULTIPLIERS or (unit == "dBm" and prefix):
        raise ScpiError(-131, text)
    return value * MULTIPLIERS[prefix]


class Device:
    """An instrument behind a wire: settings by name, and the grammar that changes them.

    Parameters
    ----------
    identity : str
        Reply to ``*IDN?``.
    lock : context manager
        Held while a message is carried out.
    """

    def __init__(self, identity: str, lock: AbstractContextManager[Any]) -> None:
        self.identity, self.lock = identity, lock
        self.values: dict[str, Any] = {}
        self.errors: deque[tuple[int, str]] = deque()
        self._table: list[tuple[re.Pattern[str], Callable[[list[str]], str | None]]] = []
        self.action("*IDN?", lambda _: self.identity)
        self.action("*OPT?", lambda _: "NONE")
        self.action("*OPC?", lambda _: "1")
        self.action("*STB?", lambda _: "0")
        self.action("*ESR?", lambda _: "0")
        self.action("*CLS", lambda _: self.errors.clear())
        self.action(":SYSTem:ERRor[:NEXT]?", lambda _: self.next_error())
        self.action(":SYSTem:ERRor:ALL?", lambda _: self.all_errors())
        self.action(":SYSTem:ERRor:COUNt?", lambda _: str(len(self.errors)))

    def action(self, pattern: str, function: Callable[[list[str]], Any]) -> None:
        """Declare a command or query that calls `function` with its parameters."""
        header, query = pattern.removesuffix("?"), r"\?" if pattern.endswith("?") else ""
        self._table.append((re.compile(compile_header(header).pattern + query, re.IGNORECASE), function))

    def setting(self, name: str, pattern: str, kind: Setting) -> None:
        """Declare a setting that can be set and asked for."""
        self.values[name] = kind.default

        def change(parameters: list[str]) -> None:
            (text,) = _exactly(1, parameters)
            self.change(name, kind.read(text))

        def ask(parameters: list[str]) -> str:
            limit = {"MIN": "low", "MAX": "high"}.get(parameters[0].upper()[:3]) if parameters else None
            return kind.show(getattr(kind, limit) if limit else self.values[name])

        self.action(pattern, change)
        self.action(pattern + "?", ask)

    def change(self, name: str, value: Any) -> None:
        """Take a new value; an instrument overrides this to refuse it or to act on it."""
        self.values[name] = value

    def execute(self, message: str) -> str | bytes | None:
        """Carry out one message and return its replies joined by semicolons, or None."""
        replies: list[str] = []
        path = ""
        with self.lock:
            for unit in _split(message, ";"):
                try:
                    path, reply = self._unit(unit.strip(), path)
                except ScpiError as error:
                    self.report(error.code, error.detail)
                    break  # SCPI: the rest of a message with a wrong header is not carried out
                if reply is not None:
                    replies.append(reply)
        return ";".join(replies) if replies else None

    def _unit(self, unit: str, path: str) -> tuple[str, str | None]:
        header, rest = (*unit.split(None, 1), "", "")[:2]
        if not header:
            return path, None
        absolute = header if header[0] in ":*" else f"{path}:{header}"
        for expression, function in self._table:
            if expression.fullmatch(absolute):
                parameters = [part.strip() for part in _split(rest, ",")] if rest else []
                below = path if header[0] == "*" else absolute.rstrip("?").rpartition(":")[0]
                return below, function(parameters)
        raise ScpiError(-113, header)

    def report(self, code: int, detail: str = "") -> None:
        """Put an entry into the error queue; when it is full, the last one says so."""
        if len(self.errors) >= QUEUE:
            self.errors[-1] = (-350, "Queue overflow")
            return
        text = ERRORS.get(code, "Device-specific error")
        clean = re.sub(r"[^ -~]|\"", "?", detail)[:40]
        self.errors.append((code, f"{text}; {clean}" if clean else text))

    def next_error(self) -> str:
        """Oldest entry of the queue, removed from it."""
        code, text = self.errors.popleft() if self.errors else (0, "No error")
        return f'{code},"{text}"'

    def all_errors(self) -> str:
        """All entries, removed from the queue."""
        return ",".join([self.next_error() for _ in range(max(len(self.errors), 1))])


def _exactly(count: int, parameters: list[str]) -> list[str]:
    if len(parameters) != count:
        raise ScpiError(-109 if len(parameters) < count else -108)
    return parameters


def _split(text: str, separator: str) -> list[str]:
    """Split outside of quotes."""
    return re.findall(rf"(?:[^{separator}\"']|\"[^\"]*\"|'[^']*'|[\"'])+", text) or [""]
