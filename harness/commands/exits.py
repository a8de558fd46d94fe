"""Exit codes, and the message for stderr that explains one."""

import sys

OK, DIFFERENT, USAGE, NOT_READY, INTERRUPTED = 0, 1, 2, 3, 130


def complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
