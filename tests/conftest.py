"""What every test shares: Hypothesis without a clock and with the same examples on every machine.

The passes that run the same tests again, uncompiled or under another Python, take fewer: `--hypothesis-profile=again`.
"""

from hypothesis import settings

settings.register_profile("house", max_examples=60, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("again", settings.get_profile("house"), max_examples=15)
settings.load_profile("house")
