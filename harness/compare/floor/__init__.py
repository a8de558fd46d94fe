"""The floor: a function that moves the day's objects by the fastest libraries that we know.

All other rows are also given as ratios to its time. ``function`` runs under the emulator and
imports only ``inflater``, ``threads`` and ``lister``. The harness itself uses only ``expected``.
"""
