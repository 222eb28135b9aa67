"""Comments about proposals: written with mentions and small files, read by everybody who reads the room."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.threads import Attachment, Comment, check_files, comment_text, mentioned
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import registry as registry_store
from mlops_dash.store import threads as store
from mlops_dash.store.db import reading


class Threads:
    """What people say about proposals."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def thread(self, actor: Actor, proposal_id: str) -> tuple[Comment, ...]:
        """The comments of a proposal, oldest first, with what is attached.

        Raises:
            NotFound: no such proposal.
        """
        with reading(self.context.databases.app) as session:
            registry_store.proposal(session, proposal_id)
            return store.thread(session, proposal_id)

    @read(Permission.ROOM_READ)
    def attachment(self, actor: Actor, attachment_id: str) -> tuple[Attachment, bytes]:
        """A file and its bytes.

        Raises:
            NotFound: no such file.
            Conflict: its bytes are not those that were attached.
        """
        with reading(self.context.databases.app) as session:
            return store.attachment(session, attachment_id)

    @command(Permission.PROPOSAL_OPEN, Action.COMMENT_WRITTEN)
    def comment(
        self, unit: Unit, actor: Actor, proposal_id: str, text: str, *, files: Sequence[tuple[str, bytes]] = ()
    ) -> Comment:
        """Say something about a proposal, open or closed; whoever is named by @ finds it in their queue.

        Args:
            unit: Of this command.
            actor: Who says it: a scientist or above.
            proposal_id: About which.
            text: Plain text; it is never changed afterwards.
            files: Name and bytes of each, at most 1 MiB.

        Raises:
            NotFound: no such proposal.
            InvalidInput: it is empty or too long, or a file cannot be attached.
        """
        proposal = registry_store.proposal(unit.session, proposal_id)
        said = comment_text(text, files)
        kept = check_files(files, already=store.files_of(unit.session, proposal_id))
        attached = [
            (Attachment(self.context.new_id(), name, len(content), sha256), content) for name, content, sha256 in kept
        ]
        made = Comment(
            self.context.new_id(), proposal_id, actor.person, unit.now, said,
            mentioned(said, store.people_by_name(unit.session)), tuple(one for one, _ in attached),
        )  # fmt: skip
        store.add(unit.session, made, attached)
        unit.audit(
            registry_store.version(unit.session, proposal.version_id).subject,
            model=proposal.model,
            after={
                "comment": made.id, "proposal": proposal_id,
                **({"mentions": list(made.mentions)} if made.mentions else {}),
                **({"files": {one.name: one.sha256 for one in made.attachments}} if made.attachments else {}),
            },
            reason=said,
        )  # fmt: skip
        return made
