"""The floor: the day's objects moved by the fastest parts there are, to divide times by.

``function`` runs under the emulator as the languages' functions do and imports ``inflater``,
``lanes`` and ``lister`` only; ``artefact`` and ``expected`` are the harness's side.
"""
