"""`python -m wiretally.bench`: what this machine can take, and what its peers do with the same captures."""

import sys

from .compare_peers import main

sys.exit(main())
