"""Where the board can move a version, and why not: environments are marks in MLflow, production is a proposal."""

from __future__ import annotations

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.live import ALIAS, live_mark
from mlops_dash.domain.registry.records import CHAMPION, Model, Serving, Version
from mlops_dash.errors import InvalidInput

PRODUCTION, SHADOW, NO_SHADOW = "production", "shadow", "no shadow"
ENVIRONMENTS = ("staging", "dev")  # as the page offers them; any other name may be typed
PLACES_TO = (PRODUCTION, SHADOW, NO_SHADOW, *ENVIRONMENTS)


def checked_environment(name: str) -> str:
    """An environment's name, as MLflow takes it for an alias.

    >>> checked_environment(" staging ")
    'staging'

    Raises:
        InvalidInput: MLflow takes no such alias, or it is a place that no alias says.
    """
    said = name.strip()
    if said.lower() in (PRODUCTION, SHADOW, NO_SHADOW):
        raise InvalidInput(f"{said} is no mark of ours.", hint="Production is reached by a proposal alone.")
    return live_mark(f"{ALIAS}:{said}").name


def why_not_mark(actor: Actor, model: Model, environment: str) -> str:
    """A scientist or above moves a mark that does not say what is live, of a model that our MLflow holds."""
    if not actor.may(Permission.MODEL_EDIT):
        return actor.why_not(Permission.MODEL_EDIT)
    if model.archived_at is not None:
        return f"{model.name} is archived."
    if model.elsewhere:
        return "Others serve this model: it has no marks here."
    if environment == CHAMPION or (model.mark.kind == ALIAS and environment == model.mark.name):
        return f"{environment} says what is live, which only a proposal changes."
    return ""


def why_not_silent(
    actor: Actor, model: Model, version: Version, serving: Serving | None, *, on: bool, in_flight: bool
) -> str:
    """A lead or admin has a version score silently beside a champion that our gateway serves, or no more."""
    if not actor.may(Permission.PROMOTE):
        return actor.why_not(Permission.PROMOTE)
    if model.archived_at is not None:
        return f"{model.name} is archived."
    if model.elsewhere:
        return "Others serve this model: nothing scores silently here."
    if serving is None:
        return "There is no champion that it would score beside."
    if serving.version_id == version.id:
        return f"{version.label} is the champion, which does not score silently."
    if in_flight:
        return "A change of champion is being carried out; wait for it."
    if on == (version.id in serving.shadow_version_ids):
        return f"{version.label} {'scores silently already' if on else 'does not score silently'}."
    return ""
