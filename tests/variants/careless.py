"""The Python function that deletes nothing but its claim: the disturbances find what it leaves."""

from aggregator import handler, publisher


async def _leave(_publisher: publisher.Publisher, _keys: list[str]) -> None:
    pass


publisher.Publisher._delete = _leave
handle = handler.handle
