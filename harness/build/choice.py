"""The choice of implementations and clients by the names that a command was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.model import Artefact, HarnessError, Implementation, NotReady, UsageError


def choose(known: Sequence[Implementation], languages: Sequence[str]) -> list[Implementation]:
    """The implementations of ``languages``; all of ``known`` if it is empty.

    Raises ``UsageError`` for an unknown language.
    """
    names = [each.language for each in known]
    if unknown := [name for name in languages if name not in names]:
        raise UsageError(f"unknown language {', '.join(unknown)}; known are {', '.join(names)}")
    if not known:
        raise HarnessError("template.yaml has no function to compare")
    return [each for each in known if not languages or each.language in languages]


def choose_clients(
    chosen: Sequence[Implementation], clients: Sequence[str]
) -> list[Implementation]:
    """Each implementation with each of ``clients``, or with all of its clients if that is empty.

    Raises ``UsageError`` for an unknown client.
    """
    for each in chosen:
        if unknown := [name for name in clients if name not in each.clients]:
            known = ", ".join(each.clients)
            raise UsageError(f"{each.language} has no client {', '.join(unknown)}; known: {known}")
    return [
        each.with_client(client)
        for each in chosen
        for client in each.clients
        if not clients or client in clients
    ]


def by_client(
    each_client: Sequence[Implementation], built: Mapping[str, Artefact | NotReady]
) -> dict[str, Artefact | NotReady]:
    """name -> the artefact of its language, set to its client, or the reason why there is none."""
    made = {each.name: (each.client, built[each.language]) for each in each_client}
    return {
        name: one.with_client(client) if isinstance(one, Artefact) else one
        for name, (client, one) in made.items()
    }
