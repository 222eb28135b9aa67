"""The demo: flights out of New York in 2013 played through the same services as real traffic; the last are held back.

`build` fills an empty home; each step is remembered, so an interrupted build goes on where it stopped and a second
call changes nothing. Nothing here computes a number of its own: it calls the services with the data's own times.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from mlops_dash.bootstrap import Services
from mlops_dash.bootstrap import build as build_services
from mlops_dash.clock import Clock
from mlops_dash.demo.flights.columns import DATA, load_flights
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.progress import Progress
from mlops_dash.demo.steps import BEFORE_MLFLOW, STEPS, Stage
from mlops_dash.demo.story import STORIES
from mlops_dash.demo.sweep import Beside
from mlops_dash.demo.train import wait_for_mlflow
from mlops_dash.demo.week import hold_back
from mlops_dash.settings import Settings, data_file
from mlops_dash.tracking.models.fresh_check import libraries_ready

__all__ = ["build", "is_built"]


def is_built(services: Services) -> bool:
    """Whether this home already holds the whole demo; one from before weeks could be played is told what is left."""
    built = Journal(services).done("finish")
    if built:
        hold_back(services)
    return built


def build(settings: Settings, *, fast: bool) -> None:
    """Fill this home with the demo; needs the MLflow server and the gateway to be up.

    Raises:
        NotFound: the flights file is not there.
        Unavailable: MLflow or the gateway does not answer.
    """
    clock = Clock()  # driven: its offset follows the story
    services = build_services(settings, clock=clock)
    try:
        journal = Journal(services)
        story = STORIES[journal.mode(fast=fast)]
        progress = Progress({name: weight(story) for name, (weight, _) in STEPS.items()})
        stage = Stage(
            services=services,
            clock=clock,
            story=story,
            journal=journal,
            progress=progress,
            flights=load_flights(data_file(DATA, settings.home)),
            sweep=Beside(services, story),
        )
        stage.sweep.start()
        try:
            # small trees: a second thread of OpenMP costs more than it gives
            with libraries_ready(), threadpool_limits(limits=1):
                _play(stage)
        finally:
            stage.sweep.stop()
        progress.finish(f"The demo stands: {story.start:%d %B} to {story.end:%d %B %Y}")
    finally:
        services.close()


def _play(stage: Stage) -> None:
    for name, (_, step) in STEPS.items():
        if stage.journal.done(name):
            stage.progress.skip(name)
            continue
        stage.progress.begin(name)
        if name not in BEFORE_MLFLOW:
            wait_for_mlflow(stage.services)
        step(stage)
        stage.journal.finish(name)
        stage.progress.end()
