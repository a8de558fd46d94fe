"""The shape of a fault: what breaks, which alarm tells it, and how it is mended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import ClassVar

from harness.drill.night import Night
from harness.drill.trail import Trail


class Needs(Enum):
    NOTHING = 1
    FUNCTION = 2  # another function of the same stack
    STACK = 3  # another stack


class Fault(ABC):
    """What breaks in a night, before the schedule fires.

    ``ending`` is how a run ends that begins when the schedule fires: with a code of SPEC E1,
    ``died`` or ``throttled``, or ``none`` if no run begins. ``alarm`` is the one that must tell of
    the fault. The operator answers ``answered``, or the first alarm if that is empty.

    Somebody publishes the day before the night, when half of its sources are there, or all of them
    with ``all_early``; not with ``unpublished``. ``needs`` is what another language gives.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    ending: ClassVar[str]
    alarm: ClassVar[str]
    answered: ClassVar[str] = ""
    all_early: ClassVar[bool] = False
    unpublished: ClassVar[bool] = False
    needs: ClassVar[Needs] = Needs.NOTHING

    @abstractmethod
    def breaks(self, night: Night, trail: Trail) -> None:
        """Break it. A fault that ends by itself puts its end on the night's agenda."""

    @abstractmethod
    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        """What the operator does at the ``answer``-th answer; whether the fault is mended then."""
