"""Recipes on the Retraining page: made by admins, edited by scientists, and the form of a run's parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from app.charts import retraining as charts
from app.parts.retraining import trying
from app.shell import address, session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain.access import Permission
from mlops_dash.domain.money import COUNTED
from mlops_dash.domain.parameters import parameter_lines, parameters_of, text_of, value_of
from mlops_dash.domain.recipe_checks import checks_of_yaml, checks_yaml
from mlops_dash.domain.retraining import Recipe, Room

_EXACT = 2**53  # whole numbers up to this are the same in a browser
_PROGRAM = (
    "A command line, module:function, or a file: train.ipynb, dvc.yaml, MLproject. {python}, {start}, {end}, {model} "
    "and parameters in braces are filled in. "
    "It runs with the rights of this server."
)
_LINES = (
    "One a line, name = value: numbers, true, false, text, [lists]. train_days (or train_start) and holdout_days "
    "say what it is trained and judged on."
)

_VENV = (
    "A pip requirements file, with its whole path or inside the checkout. Its venv is made once and kept by the file's "
    "hash; {python} is the venv's. It has to bring MLflow."
)
_CHECKOUT = (
    "The program works in a checkout of its own; credentials are those of the worker's account. Or, without a commit, "
    "the whole path of a plain folder: each run works in a copy, and its hash stands on the run."
)
_CHECKS = (
    "YAML, a list. A check is a program that runs after training, within the recipe's memory and its own "
    "timeout_seconds (120). It prints a line `result 41.7`, `result pass` or `result fail`; its kind is unit, data, "
    "slice, invariance or latency. What fails or does not run blocks promotion, unless the policy says advisory."
)
_A_CHECK = """- name: answers in time
  kind: latency
  program: "{python} /srv/team/speed.py"
  at_most: 50
  unit: ms"""


# --- one run ----------------------------------------------------------------------------------------------------------


def parameter_fields(recipe: Recipe, key: str) -> None:
    """A field for each parameter, by its type, filled with the recipe's value."""
    for name, value in recipe.parameters.items():
        field: dict[str, Any] = {"label": plain(name), "key": _field_key(key, recipe, name)}
        if isinstance(value, bool):
            st.checkbox(**field, value=value)
        elif isinstance(value, int) and abs(value) < _EXACT:
            st.number_input(**field, value=value, step=1)
        elif isinstance(value, float) and abs(value) < _EXACT:
            st.number_input(**field, value=value, format="%.12g")
        elif isinstance(value, str) and "\n" not in value:
            st.text_input(**field, value=value)
        else:
            st.text_area(**field, value=text_of(value))


def asked(recipe: Recipe, key: str) -> dict[str, Any]:
    """What the form says, by parameter.

    Raises:
        InvalidInput: a list or object cannot be read.
    """
    given: dict[str, Any] = {}
    for name, value in recipe.parameters.items():
        said = session.get(_field_key(key, recipe, name), value)
        written = not isinstance(value, (bool, int, float, str)) or (isinstance(value, str) and "\n" in value)
        big = isinstance(value, (int, float)) and not isinstance(said, (bool, int, float))
        given[name] = value_of(str(said)) if (written or big) and said is not value else said
    return given


def _field_key(key: str, recipe: Recipe, name: str) -> str:
    return f"{key}-{recipe.name}-{name}"


# --- making and editing -----------------------------------------------------------------------------------------------


def new_button(frame: Frame, *, primary: bool = False) -> None:
    """Make a recipe: for admins, as it says which program runs."""
    if widgets.action_button(
        "New recipe…", key="new-recipe", why_not=frame.why_not(Permission.RECIPE_DEFINE), icon_name="add",
        primary=primary,
    ):  # fmt: skip
        _dialog(frame, None)


def nothing(frame: Frame) -> None:
    """The face of a house in which nothing is trained yet."""
    with widgets.empty(
        "model_training", "Nothing is trained here yet",
        "A recipe says how a version is made; its runs, their logs and what comes next stand here.", key="recipes",
    ):  # fmt: skip
        new_button(frame, primary=True)
        widgets.page_link("", "Four ways to begin", icon_name="home")


def card(frame: Frame, room: Room) -> None:
    """All recipes, with what each is and may be changed of it."""
    why_not = frame.why_not(Permission.SCHEDULE_EDIT)
    with widgets.card(
        "recipes", "Recipes", "How a version is made; limits end a run that takes too much", lambda: new_button(frame)
    ):
        if not room.recipes:
            widgets.empty("model_training", "No recipe yet", "A recipe says which program makes a version.", key="none")
        for made in room.recipes:
            with st.container(
                horizontal=True, horizontal_alignment="distribute", vertical_alignment="center",
                key=f"recipe-{made.name}",
            ):  # fmt: skip
                st.markdown(
                    f"**{plain(made.name)}** {plain(made.model)}  \n:gray[{plain(made.entry)}]  \n"
                    f":gray[{plain(charts.parameters(made))}]{_works_in(made)}",
                    width="content",
                )
                with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
                    spent = room.spending.get(made.name)
                    widgets.note(f"{charts.limits(made)} · {spent.words()}" if spent else charts.limits(made))
                    trying.button(frame, made)
                    if widgets.action_button("Edit…", key=f"edit-recipe-{made.name}", why_not=why_not):
                        _dialog(frame, made)


def _works_in(made: Recipe) -> str:
    """Its environment and working folder, where it has its own."""
    where = f"at {made.commit[:10]} of" if made.commit else "in a copy of"
    said = [f"{where} {made.repository}"] if made.repository else []
    said += [f"environment of {made.requirements}"] if made.requirements else []
    return f"  \n:gray[{plain(', '.join(said))}]" if said else ""


def _amount(typed: float | None) -> float | None:
    return None if typed is None else float(typed)


def _dialog(frame: Frame, made: Recipe | None) -> None:
    key = f"recipe-{made.name}" if made else "recipe-new"
    defines, pays = (not frame.why_not(one) for one in (Permission.RECIPE_DEFINE, Permission.POLICY_EDIT))
    models = [] if made else [one.name for one in frame.services.registry.models(frame.actor)]
    start = made or Recipe("", "", "")

    def fields() -> None:
        if made is None:
            st.text_input("Name", key=f"{key}-name", placeholder="weekly", max_chars=80)
            chosen = address.left("model")
            at = models.index(chosen) if chosen in models else 0 if len(models) == 1 else None
            st.selectbox("Makes versions of", models, index=at, key=f"{key}-model", placeholder="Choose a model")
        if defines:
            st.text_input("Program", value=start.entry, key=f"{key}-program", help=_PROGRAM,
                          placeholder="{python} /srv/team/train.py --until {end}")  # fmt: skip
        st.text_area("Parameters", value=parameter_lines(start.parameters), key=f"{key}-parameters", help=_LINES,
                     placeholder="train_days = 90\nholdout_days = 7\ndepth = 6", height=180)  # fmt: skip
        if defines:
            st.text_input("Requirements file", value=start.requirements, key=f"{key}-requirements", help=_VENV,
                          placeholder="this environment")  # fmt: skip
            st.text_input("Git address, or a folder", value=start.repository, key=f"{key}-repository", help=_CHECKOUT,
                          placeholder="works where the worker runs")  # fmt: skip
            st.text_input("Commit", value=start.commit, key=f"{key}-commit", placeholder="all its digits")
            st.text_area("Checks of the version that it makes", value=checks_yaml(start.checks), key=f"{key}-checks",
                         help=_CHECKS, height=140, placeholder=_A_CHECK)  # fmt: skip
        st.number_input("Longest run, seconds", min_value=1, value=start.timeout_seconds, key=f"{key}-timeout")
        st.number_input("Most memory, MiB", min_value=1, value=start.memory_mib, key=f"{key}-memory")
        st.number_input("Attempts", min_value=1, value=start.max_attempts, key=f"{key}-attempts")
        if pays:
            currency = frame.services.context.settings.currency
            st.number_input(f"Price of an hour, {currency}", min_value=0.0001, value=start.price_per_hour, format="%g",
                            key=f"{key}-price", placeholder="not known")  # fmt: skip
            st.number_input(f"Budget a month, {currency}", min_value=0.01, value=start.money_a_month, format="%g",
                            key=f"{key}-money", placeholder="no bound", help=COUNTED)  # fmt: skip

    def place(name: str) -> str:
        return str(session.get(f"{key}-{name}") or "").strip() if defines else str(getattr(start, name))

    def act(_reason: str) -> str:
        written = replace(
            start, name=start.name or str(session.get(f"{key}-name") or "").strip(),
            model=start.model or str(session.get(f"{key}-model") or ""),
            entry=str(session.get(f"{key}-program") or "").strip() if defines else start.entry,
            parameters=parameters_of(str(session.get(f"{key}-parameters") or "")),
            timeout_seconds=int(session.get(f"{key}-timeout")), memory_mib=int(session.get(f"{key}-memory")),
            max_attempts=int(session.get(f"{key}-attempts")),
            requirements=place("requirements"), repository=place("repository"), commit=place("commit"),
            price_per_hour=_amount(session.get(f"{key}-price")) if pays else start.price_per_hour,
            money_a_month=_amount(session.get(f"{key}-money")) if pays else start.money_a_month,
            checks=checks_of_yaml(str(session.get(f"{key}-checks") or "")) if defines else start.checks,
        )  # fmt: skip
        frame.services.retraining.save_recipe(frame.actor, written, new=made is None)
        return f"Recipe {written.name} is saved; " + ("the next run uses it." if made else "run it now, or plan it.")

    dialogs.confirm(
        key=key, title=f"Edit recipe {made.name}" if made else "New recipe", icon="edit_note", button="Save the recipe",
        act=act, fields=fields, reason="",
        consequence=f"Makes versions of {plain(made.model)}. Runs under way keep what they started with." if made else
        "A program that leaves one MLflow run with a model. It makes versions; nothing that serves changes by itself.",
    )  # fmt: skip
