"""The registry: propose, approve, promote, roll back, and see at one look where a model stands.

versions    add a model, mirror MLflow's versions
models      edit, archive, restore
proposals   propose, approve, reject, withdraw, override
threads     comments about proposals, with mentions and small files
conditions  what approvers ask beside, and that it is done
promotion   begin (transaction 1), finish (alias, transaction 2), roll back
rollouts    a share of the rows first, then all: begin, pause, continue, stop; and the worker's look at them
unanswered  why a roll-out gets no rows
aliases     restore or adopt an alias that was moved outside
freezing    a live version that was changed outside: noticed, put back, or accepted
outside     versions that somebody else serves
reconcile   the worker's pass: finish, mirror, notice, confirm, expire
room        everything the page shows, from one read (its parts: shown)
numbering   what versions are called: semantic numbers from what differs from the champion, or set by hand
lineage     what MLflow and a version's folder say of it, kept for a minute
boards      of every model which version is where
moving      a version to an environment's mark, or to score silently; never to production
dossiers    everything that is known about one version: lineage, files, environment, metrics
judging     where a proposal stands now, shared by all of them
"""

from __future__ import annotations

from mlops_dash.services.command import Context
from mlops_dash.services.registry.aliases import Aliases
from mlops_dash.services.registry.boards import Boards
from mlops_dash.services.registry.cards import Cards
from mlops_dash.services.registry.conditions import Conditions
from mlops_dash.services.registry.dossiers import Dossiers
from mlops_dash.services.registry.freezing import Freezing
from mlops_dash.services.registry.lineage import Lineage
from mlops_dash.services.registry.models import Models
from mlops_dash.services.registry.moving import Moving
from mlops_dash.services.registry.numbering import Counting, Numbering
from mlops_dash.services.registry.outside import Outside
from mlops_dash.services.registry.promotion import Promotions
from mlops_dash.services.registry.proposals import Proposals
from mlops_dash.services.registry.reconcile import Reconciled, Reconciling
from mlops_dash.services.registry.rollouts import Rollouts, RolloutWatch
from mlops_dash.services.registry.room import Rooms
from mlops_dash.services.registry.threads import Threads
from mlops_dash.services.registry.trusting import Trusting
from mlops_dash.services.registry.unanswered import Unanswered
from mlops_dash.services.registry.versions import Versions

__all__ = ["Reconciled", "RegistryService"]


class RegistryService:
    """Versions, proposals, promotions and what is served, of all models."""

    def __init__(self, context: Context) -> None:
        self.context = context

        versions = Versions(context)
        self.add_model, self.record_version = versions.add_model, versions.record_version
        self.connection = versions.connection
        self.catalogue = versions.catalogue
        self.models = versions.models
        self.version = versions.version
        self.version_id = versions.version_id
        self.known_version = versions.known_version

        models = Models(context)
        self.all_models, self.edit_model = models.all_models, models.edit_model
        self.archive_model, self.restore_model = models.archive_model, models.restore_model

        proposals = Proposals(context)
        self.propose = proposals.propose
        self.approve, self.reject, self.withdraw = proposals.approve, proposals.reject, proposals.withdraw
        self.override_gate = proposals.override_gate

        lineage = Lineage(context)
        self.dossier, counting = Dossiers(context, lineage).dossier, Counting(context, lineage)
        numbering = Numbering(context, counting)
        self.semantic_number, self.set_number = numbering.semantic_number, numbering.set_number

        promotions = Promotions(context, counting)
        self.begin_promotion, self.begin_rollback = promotions.begin_promotion, promotions.begin_rollback
        self.finish_promotion = promotions.finish_promotion

        aliases = Aliases(context)
        self.restore_alias, self.adopt_alias = aliases.restore_alias, aliases.adopt_alias

        cards = Cards(context)
        self.card, self.edit_card, self.approve_card = cards.card, cards.edit_card, cards.approve_card

        self.serve_elsewhere = Outside(context).serve_elsewhere

        freezing = Freezing(context)
        self.restore_version, self.put_back = freezing.restore_version, freezing.put_back
        self.adopt_change, self.watch_files = freezing.adopt_change, freezing.watch_files

        self.reconcile = Reconciling(context, promotions, aliases, freezing.live_watch).reconcile

        rooms = Rooms(context)
        self.room, self.gate = rooms.room, rooms.gate
        self.open_proposal, self.open_proposals = rooms.open_proposal, rooms.open_proposals
        self.history, self.champion_at, self.ledger = rooms.history, rooms.champion_at, rooms.ledger
        self.operation, self.serving = rooms.operation, rooms.serving
        self._beside(context)

    def _beside(self, context: Context) -> None:
        trusting = Trusting(context)
        self.look_into, self.trust_files = trusting.look_into, trusting.trust_files
        self.trusted_files, self.withdraw_trust = trusting.trusted_files, trusting.withdraw_trust

        threads = Threads(context)
        self.comment, self.thread, self.attachment = threads.comment, threads.thread, threads.attachment

        self.board = Boards(context).board
        moving = Moving(context)
        self.mark_version, self.finish_mark = moving.mark_version, moving.finish_mark
        self.score_silently = moving.score_silently

        conditions = Conditions(context)
        self.conditions, self.finish_condition = conditions.conditions, conditions.finish_condition

        rollouts = Rollouts(context)
        self.begin_rollout, self.stop_rollout = rollouts.begin_rollout, rollouts.stop_rollout
        self.pause_rollout, self.continue_rollout = rollouts.pause_rollout, rollouts.continue_rollout
        self.rollout, self.why_no_rows = rollouts.rollout, Unanswered(context).why_no_rows

        watch = RolloutWatch(context)
        self.watch_rollouts = watch.watch_rollouts
        self.advance_rollout, self.halt_rollout = watch.advance_rollout, watch.halt_rollout
