"""Sessions, volume per session, and the comparison of modes."""
