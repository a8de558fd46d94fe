"""The shape of a fault: the break, the alarm that must tell of it, and the repair."""

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
    """A fault of one night. It breaks something before the schedule fires.

    ``ending`` is the end of the run that begins when the schedule fires: a code of SPEC E1,
    ``died`` or ``throttled``; ``none`` if no run begins. The alarm ``alarm`` must tell of the
    fault. The operator answers the alarm ``answered``, or the first alarm if that is empty. Two and
    a half hours after the repair only the alarms ``lasting`` may go on.

    Before the night a run publishes the day with the early half of its sources, or with all of them
    if ``all_early``. With ``unpublished`` no such run is there. ``needs`` says whether the fault
    needs another language, as a second function or as a second stack.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    ending: ClassVar[str]
    alarm: ClassVar[str]
    answered: ClassVar[str] = ""
    lasting: ClassVar[tuple[str, ...]] = ()
    all_early: ClassVar[bool] = False
    unpublished: ClassVar[bool] = False
    needs: ClassVar[Needs] = Needs.NOTHING

    @abstractmethod
    def breaks(self, night: Night, trail: Trail) -> None:
        """Break it. A fault that ends by itself puts its end on the night's agenda."""

    @abstractmethod
    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        """The operator acts, for the ``answer``-th time. Returns whether the fault is repaired."""
