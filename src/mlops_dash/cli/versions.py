"""Which version does a command speak of? One that is known; of a model that others serve also a new one."""

from __future__ import annotations

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.records import EXTERNAL, Version
from mlops_dash.errors import NotFound


def known_version(made: Services, who: Actor, model: str, version: str, *, reason: str) -> Version:
    """The version, "3" or "v3"; one of an external model is recorded when its first rows or evidence come.

    Raises:
        NotFound: no such model, or MLflow's registry is where its versions come from and knows none of this number.
    """
    try:
        version_id = made.registry.version_id(who, model, version)
    except NotFound:
        source = next((one.source for one in made.registry.models(who) if one.name == model), "")
        if source != EXTERNAL or not who.may(Permission.JOB_RUN):
            raise
        version_id = made.registry.record_version(who, model, version, note=reason)
    return made.registry.version(who, version_id)
