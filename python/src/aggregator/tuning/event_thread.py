"""The thread in which AWS's Common Runtime calls Python. Skip on first reading.

The plain version does nothing. In four alternating rounds of the handler in a loop (2,000 sources,
client ``light``) it took 1.21 times the CPU without the kept thread state, and 1.09 times without
the scheduling policy. The rounds are described in docs/performance/python.md.
"""

import os
from contextlib import suppress
from ctypes import pythonapi
from threading import local

_thread = local()


def settle_event_thread() -> None:
    """Called in the runtime's thread, for each answer; the first call has an effect."""
    if hasattr(_thread, "is_settled"):
        return
    _thread.is_settled = True
    # Python makes a thread state for each call from a thread that it has not started, and frees
    # it when the call returns: three times for a GET. One call more keeps the state.
    pythonapi.PyGILState_Ensure()
    # Let the thread run when the consumer waits. Otherwise it interrupts the consumer whenever
    # something arrives. Only Linux has this policy, and a sandbox may refuse it.
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
