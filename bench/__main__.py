"""`python -m wiretally.bench`: what messages cost here, then `wiretally bench peers`, whose options it takes."""

import sys

from ..cli.main import main
from . import parsers

if len(sys.argv) == 1:
    parsers.main([])
sys.argv[1:1] = ["bench", "peers"]
main()
