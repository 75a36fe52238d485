"""What every test shares: Hypothesis without a clock and with the same examples on every machine."""

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("house")
