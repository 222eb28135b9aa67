"""Experiments: which runs there are, how they compare, what their repeats say together.

looking   what the page, one run and a pasted address show
exporting   runs as plain data, tables as files
reading   runs from MLflow's database or the run index, kept while nothing changes
index     the run index: filled through MLflow's API where its database cannot be read
room      the page, put together from one read
repeats   whether two configurations differ beyond the seed
real      whether a difference is real, why, and files side by side (comparison, rows, slices, artifacts)
views     saved views and notes
registering   from a run to a version
"""

from __future__ import annotations

from mlops_dash.services.command import Context
from mlops_dash.services.experiments.exporting import Exporting
from mlops_dash.services.experiments.looking import Looking
from mlops_dash.services.experiments.reading import RunReader
from mlops_dash.services.experiments.real import Comparing
from mlops_dash.services.experiments.registering import Registering
from mlops_dash.services.experiments.views import SavedViews

__all__ = ["ExperimentService"]


class ExperimentService:
    """Reads of MLflow's experiments and runs, and what people keep of them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._reader = reader = RunReader(context)

        looking = Looking(context, reader)
        self.room = looking.room
        self.run = looking.run
        self.locate = looking.locate
        self.versions = looking.versions
        self.read_runs = looking.read_runs
        self.still_reading = looking.still_reading
        self.unread_histories = looking.unread_histories
        self.unread_curves = looking.unread_curves

        exporting = Exporting(context, reader, looking)
        self.named_ids = exporting.named_ids
        self.export = exporting.export
        self.written = exporting.written

        comparing = Comparing(context, reader)
        self.real = comparing.real
        self.why = comparing.why
        self.flips = comparing.flips
        self.files = comparing.files
        self.compare = comparing.compare

        views = SavedViews(context)
        self.kept = views.kept
        self.view = views.view
        self.save_view = views.save_view
        self.change_view = views.change_view
        self.delete_view = views.delete_view
        self.write_note = views.write_note

        registering = Registering(context, reader)
        self.registrable = registering.registrable
        self.register_run = registering.register_run
