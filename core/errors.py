"""What can go wrong for an operator; traffic never raises.

Each error's text is the one line that the command prints: it names the file, the place and what to do.
"""

from __future__ import annotations


class WiretallyError(Exception):
    """The base: `except WiretallyError` catches whatever this package says about its input or surroundings."""


class CaptureError(WiretallyError):
    """A capture that cannot be read: not a capture, damaged before its first packet, missing, not permitted."""


class TruncatedCaptureError(CaptureError):
    """A capture cut short in the middle of a packet, under `--strict` only."""


class InputError(WiretallyError):
    """A file of the user's (sessions, visits, lists, configuration) that cannot be understood."""


class DatabaseError(WiretallyError):
    """A geolocation or catalogue file that is missing, damaged or of an unknown schema."""


class EnvironmentFault(WiretallyError):  # noqa: N818  (an operator's surroundings, not an error in the input)
    """Something this machine lacks: a tool, a right, space."""
