"""Did somebody else move an alias, or is it our own change on its way? A look older than our last write says nothing.

MLflow is looked at every few seconds, so right after a promotion the last look still shows the champion before. Only
what was seen after our own last change was done can be a move of somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mlops_dash.domain.registry.records import CHAMPION, Mirror, Operation
from mlops_dash.domain.words import OperationState


def ours_since(
    mirror: Mirror, operations: Iterable[Operation], numbers: Mapping[str, str], *, mark: str = CHAMPION
) -> Mirror:
    """The last look at MLflow with our own later changes of the champion's mark in it.

    Args:
        mirror: What MLflow said last.
        operations: All of one model.
        numbers: The version numbers in MLflow, by the versions' ids.
        mark: What a live version carries there, as the mirror names it; "" = nothing.

    Returns:
        The mirror as it is, when nothing of ours is newer. Else the alias is where we put it; while we are still
        putting it, it is shown nowhere.
    """
    written = [one for one in operations if one.alias == CHAMPION and one.state is not OperationState.FAILED]
    if not written or mirror.as_of is None or not mark:
        return mirror
    newest = max(written, key=lambda one: one.decided_at)
    moved = newest.alias_moved_at
    if moved is not None and mirror.as_of > moved:
        return mirror
    where = None if newest.in_flight else numbers.get(newest.to_version_id)
    aliases = {number: tuple(one for one in names if one != mark) for number, names in mirror.aliases.items()}
    if where is not None:
        aliases[where] = (mark, *aliases.get(where, ()))
    return replace(mirror, champion_alias=where, aliases=aliases)
