"""Search: the verbs behind Ctrl-K."""

from __future__ import annotations

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.search import NEEDS, PER_KIND, Hit, link, words
from mlops_dash.services.command import Context, read
from mlops_dash.store import search as store
from mlops_dash.store.db import reading


class SearchService:
    """Finds models, versions, runs, tests, alerts and people by name or id."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def find(self, actor: Actor, text: str) -> tuple[Hit, ...]:
        """What the actor may see and whose names hold every word of `text`, at most five of a kind.

        Kinds in the order of `Kind`; in each a name that is the text or begins with it first, then the newest.
        """
        kinds = [kind for kind, needed in NEEDS.items() if actor.may(needed)]
        with reading(self.context.databases.app) as session:
            found = store.find(session, words(text), kinds, limit=PER_KIND)
        return tuple(
            Hit(one.kind, one.title, one.detail, *link(one.kind, one.subject, one.other), at=one.at) for one in found
        )
