"""What became of a packet or a message: codes that kernels return; traffic never raises.

Every packet ends in exactly one of OK, MALFORMED, UNSUPPORTED. TRUNCATED (cut by the capture's snapshot length before
its headers were complete) counts as malformed in the `capture` table and is told apart by the reason counters.
"""

OK = 0
NEED_MORE = 1
TRUNCATED = 2
MALFORMED = 3
UNSUPPORTED = 4
STATUSES = 5
