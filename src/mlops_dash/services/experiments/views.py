"""Saved views and notes: what people keep of the Experiments page and say to each other about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.experiments.views import Kept, RunNote, SavedView, note_text, view_name, view_state
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store.db import Session, reading
from mlops_dash.store.experiments import views as store


class SavedViews:
    """Keeping, finding and sharing."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def kept(self, actor: Actor, run_ids: Collection[str] = ()) -> Kept:
        """Views that the actor may open, and the notes on a comparison of just these runs."""
        with reading(self.context.databases.app) as session:
            notes = store.notes(session, run_ids) if len(set(run_ids)) > 1 else ()
            return Kept(store.views(session, actor.id), notes)

    @read(Permission.ROOM_READ)
    def view(self, actor: Actor, view_id: str) -> SavedView:
        """One view.

        Raises:
            NotFound: there is none, or it is somebody else's own.
        """
        with reading(self.context.databases.app) as session:
            return _opened(session, actor, view_id)

    @command(Permission.VIEW_SAVE, Action.VIEW_SAVED)
    def save_view(
        self, unit: Unit, actor: Actor, name: str, state: Mapping[str, str], *, shared: bool = False
    ) -> SavedView:
        """Keep a page under a name. A scientist or above may; a view of theirs with this name is written over.

        Args:
            unit: Of this command.
            actor: Whose view it is.
            name: 1 to 80 characters.
            state: The parameters of the page's URL.
            shared: Whether everybody may open it.

        Raises:
            InvalidInput: the name is empty, or name or state are too long.
        """
        known = store.view_named(unit.session, actor.id, view_name(name))
        made = SavedView(
            id=self.context.new_id() if known is None else known.id,
            name=view_name(name),
            owner=actor.id,
            shared=shared,
            state=view_state(state),
            created_at=unit.now if known is None else known.created_at,
            updated_at=unit.now,
        )
        store.put_view(unit.session, made)
        unit.audit(_object(made), before={} if known is None else _facts(known), after=_facts(made))
        return made

    @command(Permission.VIEW_SAVE, Action.VIEW_CHANGED)
    def change_view(self, unit: Unit, actor: Actor, view_id: str, *, name: str, shared: bool) -> SavedView:
        """Rename a view, share it or take it back. Its owner may, or an admin.

        Raises:
            NotFound: there is no such view.
            NotAllowed: it is somebody else's.
            Conflict: its owner has another view of that name.
            InvalidInput: the name is empty or too long.
        """
        known = _theirs(unit.session, actor, view_id)
        made = replace(known, name=view_name(name), shared=shared, updated_at=unit.now)
        same = store.view_named(unit.session, known.owner, made.name)
        if same is not None and same.id != view_id:
            raise Conflict(f"There is a view “{made.name}” already.", hint="Choose another name.")
        if (made.name, made.shared) == (known.name, known.shared):
            unit.nothing_changed()
            return known
        store.put_view(unit.session, made)
        unit.audit(_object(made), before=_facts(known), after=_facts(made))
        return made

    @command(Permission.VIEW_SAVE, Action.VIEW_DELETED)
    def delete_view(self, unit: Unit, actor: Actor, view_id: str) -> None:
        """Delete a view; links with the whole state still open. Its owner may, or an admin.

        Raises:
            NotFound: there is no such view.
            NotAllowed: it is somebody else's.
        """
        known = _theirs(unit.session, actor, view_id)
        store.delete_view(unit.session, view_id)
        unit.audit(_object(known), before=_facts(known))

    @command(Permission.VIEW_SAVE, Action.NOTE_WRITTEN)
    def write_note(self, unit: Unit, actor: Actor, run_ids: Collection[str], text: str) -> RunNote:
        """Write a note on a comparison; everybody who compares the same runs reads it. A scientist or above may.

        Raises:
            InvalidInput: fewer than two runs, or an empty or too long text.
        """
        runs = tuple(sorted(set(run_ids)))
        if len(runs) < 2:
            raise InvalidInput("A note belongs to a comparison of two runs or more.", hint="Tick a second run.")
        made = RunNote(self.context.new_id(), runs, actor.id, note_text(text), unit.now)
        store.add_note(unit.session, made)
        unit.audit(f"comparison of {len(runs)} runs", after={"runs": list(runs), "note": made.text})
        return made


def _opened(session: Session, actor: Actor, view_id: str) -> SavedView:
    found = store.view(session, view_id)
    if found is None or not found.open_to(actor):
        raise NotFound("This saved view does not exist, or is not shared.", hint="Ask its owner to share it.")
    return found


def _theirs(session: Session, actor: Actor, view_id: str) -> SavedView:
    found = store.view(session, view_id)
    if found is None or not (found.open_to(actor) or not found.why_not_change(actor)):
        raise NotFound("This saved view does not exist, or is not shared.", hint="It may have been deleted meanwhile.")
    if found.why_not_change(actor):
        raise NotAllowed(f"{actor.name} may not change this view.", hint=found.why_not_change(actor))
    return found


def _object(view: SavedView) -> str:
    return f"view {view.name}"


def _facts(view: SavedView) -> dict[str, object]:
    return {"id": view.id, "name": view.name, "shared": view.shared, "state": dict(view.state)}
