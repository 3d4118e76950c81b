"""What a scene has worked out already, safe to use from several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

__all__ = ["Memory"]


class Memory:
    """Results by kind and key; the oldest of a kind go first.

    Two threads that want the same result get the same object, made once. A scene that is copied or sent
    to another process starts with an empty memory.

    Examples
    --------
    >>> memory = Memory()
    >>> memory.get("square", 3, lambda: 9, limit=2), memory.get("square", 3, lambda: 1 / 0, limit=2)
    (9, 9)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[Hashable, Future[Any]]] = {}

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        return Memory, ()

    def get(self, kind: str, key: Hashable, make: Callable[[], Any], *, limit: int) -> Any:
        """The result `key` of a kind, made now if it is not there; at most `limit` of a kind are kept."""
        with self._lock:
            kept = self._kinds.setdefault(kind, {})
            found = kept.get(key)
            mine = found is None
            if found is None:
                while len(kept) >= limit:
                    del kept[next(iter(kept))]
                found = kept[key] = Future()
        # Made outside the lock: who wants something else does not wait.
        if mine:
            try:
                found.set_result(make())
            except BaseException as error:
                with self._lock:
                    if kept.get(key) is found:
                        del kept[key]
                found.set_exception(error)
        return found.result()
