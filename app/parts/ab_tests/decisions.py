"""What people decide on the A/B page: design, start, stop, and propose the winner; one dialog each."""

from __future__ import annotations

import streamlit as st

from app.charts.ab_tests import words
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.archive import KEEP, SHIP, recommended
from mlops_dash.domain.ab_tests.assigning import ENTITY, ROW
from mlops_dash.domain.ab_tests.outcomes import is_of_events
from mlops_dash.domain.ab_tests.room import ABRoom, Plan
from mlops_dash.domain.ab_tests.rules import MOST_SEGMENTS, READINGS, ABTest, NewTest
from mlops_dash.domain.words import ABState, ABVerdict, look

RAMPS: dict[str, tuple[float, ...]] = {
    "None": (),
    "5 %, 25 %: a day each": (0.05, 0.25),
    "1 %, 5 %, 25 %: a day each": (0.01, 0.05, 0.25),
}
DESIGNED = "ab-designed"  # the test that was made a moment ago: the page opens it


def design_button(frame: Frame, room: ABRoom, *, primary: bool = False) -> None:
    """One button, or a menu where several models can be tested."""
    why_not = room.may["design"] or ("" if room.models else "A test needs a model with a champion and another version.")
    if why_not or len(room.models) == 1:
        if widgets.action_button("Design a test…", key="design", why_not=why_not, primary=primary, icon_name="science"):
            _design(frame, room.models[0])
        return
    chosen = st.menu_button(
        "Design a test…", options=list(room.models), key="design-menu", icon=widgets.icon("science")
    )
    if chosen:
        _design(frame, str(chosen))


def decide_buttons(frame: Frame, room: ABRoom, test: ABTest) -> None:
    """Start, stop or propose, as the test stands; the next best action is the primary."""
    with st.container(horizontal=True, width="content", gap="xsmall", key="decide"):
        if test.state is ABState.DESIGNED:
            _button(frame, room, test, "start", "Start the test…", True, "play_arrow")
            _button(frame, room, test, "stop", "Withdraw…", False, "undo")
        elif test.state is ABState.RUNNING:
            word = None if room.verdict is None else room.verdict.word
            _button(frame, room, test, "stop", "Stop the test…", word not in {None, ABVerdict.GO_ON}, "stop_circle")
            if test.paused:
                _button(frame, room, test, "resume", "Resume…", False, "play_arrow")
            else:
                _button(frame, room, test, "pause", "Pause…", False, "pause")
        else:
            won = not room.may["propose"]
            _button(frame, room, test, "propose", "Propose for promotion…", won, "assignment")
            if test.decision is None:
                _button(frame, room, test, "decide", "Decide…", False, "gavel")
            elif not test.decision.settled:
                _button(frame, room, test, "second", "Stand behind it…", True, "group")


def _button(frame: Frame, room: ABRoom, test: ABTest, verb: str, label: str, primary: bool, icon: str) -> None:
    if widgets.action_button(
        label, key=f"{verb}-test" if verb == "decide" else verb, why_not=room.may[verb], primary=primary, icon_name=icon
    ):
        {
            "start": _start,
            "stop": _stop,
            "pause": _pause,
            "resume": _pause,
            "propose": _propose,
            "decide": _decide,
            "second": _second,
        }[verb](frame, room, test)


def _design(frame: Frame, model: str) -> None:
    plan = frame.services.ab_tests.plan(frame.actor, model)
    key = f"design-{model}"

    def act(reason: str) -> str:
        days = int(session.get(f"{key}-days"))
        margins = {one.metric: float(session.get(f"{key}-{one.metric}")) for one in plan.guardrails}
        outcome, entity = str(session.get(f"{key}-outcome")), str(session.get(f"{key}-unit") or "").strip()
        exposure = int(session.get(f"{key}-exposure"))
        enter = max(days - exposure, 1) if entity else days  # units of a column must have their whole time in the test
        layer = str(session.get(f"{key}-layer") or "") if entity else ""
        part = session.get(f"{key}-part") / 100 if layer else 1.0
        test = frame.services.ab_tests.design(
            frame.actor,
            NewTest(
                model=model,
                challenger_id=str(session.get(f"{key}-challenger")),
                question=reason,
                outcome=outcome,
                guardrails=margins,
                unit=ENTITY if entity else ROW,
                entity=entity,
                exposure_hours=24.0 * exposure,
                cuped=bool(session.get(f"{key}-cuped")) and is_of_events(outcome),
                segments=tuple(str(one) for one in session.get(f"{key}-segments") or ()),
                ramp=RAMPS[str(session.get(f"{key}-ramp"))],
                auto_stop=bool(session.get(f"{key}-auto")),
                min_days=min(int(session.get(f"{key}-least-days")), enter),
                share=session.get(f"{key}-share") / 100,
                layer=layer,
                layer_share=part,
                hold_out=session.get(f"{key}-out") / 100 if layer else 0.0,
                days=days,
                planned_units=int(session.get(f"{key}-planned"))
                or int(part * plan.units(enter, entity, of_events=is_of_events(outcome))),
                min_units=int(session.get(f"{key}-least")),
                alpha=plan.alpha,
                reading=str(session.get(f"{key}-reading")),
            ),
        )
        session.put(DESIGNED, test.id)
        return f"The test {test.name} of {model} is designed. A lead starts it."

    dialogs.confirm(
        key=key,
        title=f"Design a test of {model}",
        consequence=f"The challenger will answer its share instead of **{plan.champion}**, chosen by a keyed hash of "
        "each unit. What is fixed here never changes afterwards; nothing is routed before a lead "
        "starts it.",
        button="Design the test",
        act=act,
        icon="science",
        fields=lambda: _fields(plan, key),
        reason="Question",
        placeholder="What shall it answer? This goes into the ledger.",
    )


def _fields(plan: Plan, key: str) -> None:
    names = {one.id: one.label for one in plan.choices}
    st.selectbox("Challenger", list(names), format_func=lambda one: names[one], key=f"{key}-challenger")
    if plan.left_out:
        widgets.note(f"Not offered: {'; '.join(plan.left_out)}.")
    st.selectbox("Primary outcome", plan.outcomes, format_func=words.choice, key=f"{key}-outcome")
    units = {"": "Each row", **{one.name: f"Each {one.label}" for one in plan.columns}}
    st.selectbox(
        "Unit", list(units), format_func=lambda one: plain(units.get(one, f"Each {one}")), key=f"{key}-unit",
        accept_new_options=True, help="Whose rows all go to one arm: a column of the rows, also one that the model "
        "does not take. Events are joined by it; with each row they name the prediction's id.",
    )  # fmt: skip
    st.number_input("Days", min_value=1, max_value=365, value=21, key=f"{key}-days")
    reach = plan.reach.get(plan.outcomes[0], ())
    if reach:
        st.html(words.reach_html(reach, plan.outcomes[0]))
    for one in plan.guardrails:
        st.number_input(
            f"{words.label(one.metric)} may be worse by at most", min_value=0.0001, value=one.margin, step=0.001,
            format="%.4f", key=f"{key}-{one.metric}",
        )  # fmt: skip
    st.number_input(
        "Planned units", min_value=0, value=0, key=f"{key}-planned",
        help="With an outcome, of both arms. 0: as many as so many days of the past bring.",
    )  # fmt: skip
    with st.expander("Share, reading, minimum, exposure", key=f"{key}-more"):
        st.slider("Share of the challenger, %", 5, 95, 50, key=f"{key}-share")
        st.selectbox("Read", list(READINGS), format_func=lambda one: READINGS[one], key=f"{key}-reading")
        st.number_input("Blind until each arm has units", min_value=100, value=1_000, step=100, key=f"{key}-least")
        st.number_input("and until so many days are ripe", min_value=0, max_value=365, value=0, key=f"{key}-least-days")
        st.number_input(
            "Days after a unit's first row that its outcome is counted", min_value=1, max_value=90, value=7,
            key=f"{key}-exposure", help="Of events and of units that a column names. Who comes in so many last "
            "days does not count, nor who has a pause in them.",
        )  # fmt: skip
        st.multiselect(
            "Segments", [one.name for one in plan.columns], format_func=plain, key=f"{key}-segments",
            max_selections=MOST_SEGMENTS, accept_new_options=True,
            help="Columns whose values are read apart, corrected for their number",
        )  # fmt: skip
        st.selectbox(
            "Ramp", list(RAMPS), key=f"{key}-ramp",
            help="Comes before the days. No row of it is read, and a unit that comes in it does not count: choose none "
            "where the same ones come every day.",
        )  # fmt: skip
        st.text_input(
            "Layer", key=f"{key}-layer", help="Tests of one layer, of whatever models, never share a user: each gets a "
            "part of them. For units that a column names; empty: none.",
        )  # fmt: skip
        st.slider("Its part of the layer, %", 5, 100, 100, key=f"{key}-part")
        st.slider("Held out of all tests of the layer, %", 0, 50, 0, key=f"{key}-out")
        st.checkbox(
            "Stop by itself when it does harm", value=True, key=f"{key}-auto",
            help="By an always-valid reading of its own, also with one look at the end. It cannot act in the ramp, nor "
            "before the first units are ripe and each arm has its minimum: watch the first days yourself.",
        )  # fmt: skip
        st.checkbox("Adjust events by those before the test (CUPED)", key=f"{key}-cuped")


def _start(frame: Frame, room: ABRoom, test: ABTest) -> None:
    def act(reason: str) -> str:
        frame.services.ab_tests.start(frame.actor, test.id, test.revision, reason=reason)
        return f"The test {test.name} of {test.model} runs. The gateway follows within seconds."

    dialogs.confirm(
        key=f"start-{test.id}-{test.revision}",
        title=f"Start {test.name}",
        consequence=f"From now on **{test.challenger}** answers {fmt.percent(test.design.share, 0)} of the units of "
        f"**{test.model}** for {test.design.days} days. Nobody can promote a version meanwhile.",
        button="Start the test",
        act=act,
        facts={"Question": test.question, "Designed by": room.names.get(test.designed_by, test.designed_by)},
        icon="play_arrow",
    )


def _pause(frame: Frame, _room: ABRoom, test: ABTest) -> None:
    again, tests = test.paused, frame.services.ab_tests

    def act(reason: str) -> str:
        (tests.resume if again else tests.pause)(frame.actor, test.id, test.revision, reason=reason)
        return f"The test {test.name} of {test.model} {'runs again' if again else 'is paused'}."

    dialogs.confirm(
        key=f"pause-{test.id}-{test.revision}",
        title=f"{'Resume' if again else 'Pause'} {test.name}",
        consequence=f"**{test.challenger}** answers its share again; the planned end moves by the pause."
        if again
        else f"**{test.control}** answers every row for now. No row of the pause is read; the test goes on when a lead "
        "resumes it.",
        button="Resume" if again else "Pause",
        act=act,
        icon="play_arrow" if again else "pause",
    )


def _stop(frame: Frame, room: ABRoom, test: ABTest) -> None:
    def act(reason: str) -> str:
        frame.services.ab_tests.stop(frame.actor, test.id, test.revision, reason=reason)
        return f"The test {test.name} of {test.model} is stopped; {test.control} answers every row."

    verdict = room.verdict
    facts = {"It says": f"{look(verdict.word).label}. {verdict.reason}"} if verdict is not None else {}
    kept = "The reading of the ripe days is kept with its evidence and never changes."
    dialogs.confirm(
        key=f"stop-{test.id}-{test.revision}",
        title=f"Stop {test.name}",
        consequence=f"**{test.control}** answers every row again. {kept if test.started_at else 'It never started.'}",
        button="Stop the test",
        act=act,
        facts=facts,
        icon="stop_circle",
    )


def _decide(frame: Frame, room: ABRoom, test: ABTest) -> None:
    key, says = f"decide-{test.id}-{test.revision}", recommended(room.verdict)
    meant = {SHIP: f"Ship {test.challenger}", KEEP: f"Keep {test.control}"}

    def fields() -> None:
        st.radio("Decision", list(meant), format_func=lambda one: meant[one], index=list(meant).index(says or KEEP),
                 key=f"{key}-word")  # fmt: skip
        st.text_area("What was learned", key=f"{key}-learned", max_chars=2_000,
                     placeholder="What should others know? The archive finds it.")  # fmt: skip

    def act(reason: str) -> str:
        after = frame.services.ab_tests.decide(
            frame.actor, test.id, test.revision, str(session.get(f"{key}-word")), reason=reason,
            learned=str(session.get(f"{key}-learned") or ""),
        )  # fmt: skip
        stands = after.decision is not None and after.decision.settled
        return "It is decided." if stands else "It is against the test: another lead must stand behind it."

    dialogs.confirm(
        key=key,
        title=f"Decide on {test.name}",
        consequence="A decision against what the test says waits until a second person, a lead, stands behind it.",
        button="Decide",
        act=act,
        facts={"The test says": meant.get(says, "Nothing is known")},
        icon="gavel",
        fields=fields,
    )


def _second(frame: Frame, room: ABRoom, test: ABTest) -> None:
    def act(reason: str) -> str:
        frame.services.ab_tests.second(frame.actor, test.id, test.revision, reason=reason)
        return "The decision stands."

    dialogs.confirm(
        key=f"second-{test.id}-{test.revision}",
        title=f"Stand behind the decision on {test.name}",
        consequence="It is against what the test says, so it needs two people.",
        button="Stand behind it",
        act=act,
        facts={"Decided": words.decision_words(test, lambda one: room.names.get(one, one))},
        icon="group",
    )


def _propose(frame: Frame, room: ABRoom, test: ABTest) -> None:
    def act(reason: str) -> str:
        frame.services.registry.propose(frame.actor, test.challenger_id, comment=reason, evidence_ids=test.evidence_ids)
        return f"{test.model} {test.challenger} is proposed with this test as evidence. Somebody else must approve it."

    verdict = room.verdict
    dialogs.confirm(
        key=f"propose-{test.id}",
        title=f"Propose {test.challenger} as champion",
        consequence=f"**{plain(f'{test.model} {test.challenger}')}** is put before the leads with its gates and the "
        "evidence of this test. You cannot approve it yourself.",
        button=f"Propose {test.challenger}",
        act=act,
        facts={
            "The test says": "" if verdict is None else f"{look(verdict.word).label}. {verdict.reason}",
            "Evidence": fmt.plural(len(test.evidence_ids), "entry", "entries"),
        },
        icon="assignment",
        reason="Comment",
        placeholder="Why should it serve? The approvers read this.",
    )
