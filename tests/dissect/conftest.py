"""Hashes wrap on purpose: compiled silently, uncompiled with a warning of NumPy's that says nothing here."""

import numpy as np

np.seterr(over="ignore")
