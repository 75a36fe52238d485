"""wiretally: what a phone uploads, to whom, and whether incognito mode changes it; measured from packet captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .core.errors import WiretallyError

if TYPE_CHECKING:
    from .cli.pipeline import compare, probe, read, where

__version__ = "0.1.0"
__all__ = ["WiretallyError", "compare", "probe", "read", "where"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (module attribute, loaded at first use so that import stays light)
    if name in {"read", "compare", "probe", "where"}:
        from .cli import pipeline

        return getattr(pipeline, name)
    raise AttributeError(name)
