"""Exit codes, and the message for stderr that explains one."""

import sys
from contextlib import suppress

OK, DIFFERENT, USAGE, NOT_READY, INTERRUPTED = 0, 1, 2, 3, 130
#: The reader of stdout or stderr has gone, as in ``| head``: 128 and the number of SIGPIPE.
UNREAD = 141


def complain(message: str, code: int) -> int:
    with suppress(OSError):  # the terminal may be closed
        print(message, file=sys.stderr, flush=True)
    return code
