"""`python -m wiretally.bench`: what this machine can take, and what its peers do with the same captures."""

import sys

from . import parsers
from .compare_peers import main

if len(sys.argv) == 1:
    parsers.main([])
sys.exit(main())
