"""Weekly reviews: they say what the pages say, are frozen, named by their hash, and made by who may."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.reports.plans import substance
from mlops_dash.domain.reports.snapshot import sha256_of, standing
from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.services.monitoring.monitoring_world import world
from tests.services.monitoring.test_regression import POLICY, Minutes
from tests.services.reports_world import DAY, MODEL, Office, office


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    from tests import factories

    made = factories.context(tmp_path_factory.mktemp("reports"))
    yield made
    made.databases.dispose()


@pytest.fixture(scope="module")
def kept(home: Context) -> Office:
    """One office for the tests that change nothing but reports."""
    return office(home)


def test_the_review_says_what_the_monitoring_and_registry_pages_say(kept: Office) -> None:
    facts = kept.reports.weekly(VIEWER, MODEL).facts
    room, registry = kept.world.room("1y"), kept.registry.room(VIEWER, MODEL)
    assert room.performance is not None
    assert registry.champion is not None
    last = [p.trailing for p in room.performance.points if p.trailing and p.trailing.value is not None][-1]

    assert facts["verdict"]["health"] == str(room.health)
    assert facts["verdict"]["headline"] == room.headline
    assert facts["version"]["number"] == room.version == registry.champion.version
    assert facts["performance"]["metric"] == room.performance.metric
    assert {name: facts["performance"]["now"][name] for name in ("value", "low", "high", "n")} == {
        "value": last.value, "low": last.low, "high": last.high, "n": last.n,
    }  # fmt: skip
    assert facts["performance"]["bound"] == room.performance.bound
    assert facts["label_rate"]["value"] == room.label_rate.value
    assert facts["inputs"]["moved"] == list(room.moved) != []
    assert facts["inputs"]["beyond"] == [one.name for one in room.features if one.flagged]
    assert [alert["title"] for alert in facts["alerts"]] == [one.title for one in room.alerts]


def test_the_headline_metric_and_the_evidence_table_hold_one_number(kept: Office) -> None:
    facts = kept.reports.weekly(VIEWER, MODEL).facts
    row = next(one for one in facts["metrics"] if one["metric"] == facts["performance"]["metric"])
    told = facts["performance"]["now"]
    assert (row["value"], row["low"], row["high"], row["n"], row["n_days"]) == (
        told["value"], told["low"], told["high"], told["n"], told["n_days"],
    )  # fmt: skip
    assert row["until"] == told["until"]
    assert row["source"].startswith("reading ")


def test_the_week_adds_up_its_own_days_only(kept: Office) -> None:
    facts = kept.reports.weekly(VIEWER, MODEL).facts
    points = [one for one in kept.world.room("30d").performance.points if one.n][-7:]
    assert facts["rows"] == {
        "n": sum(one.n for one in points), "labelled": sum(one.n_labelled for one in points),
        "days": 7, "ripe_days": sum(one.ripe for one in points),
    }  # fmt: skip


def test_the_same_facts_are_one_report_and_one_ledger_entry(kept: Office) -> None:
    before = kept.audit.entries(VIEWER).total
    first = kept.reports.freeze(SCIENTIST, kept.reports.weekly(SCIENTIST, MODEL))
    again = kept.reports.freeze(LEAD, kept.reports.weekly(LEAD, MODEL))
    (entry, *_) = kept.audit.entries(VIEWER).entries

    assert again == first
    assert first.line.sha256 == sha256_of(first.facts)
    assert kept.audit.entries(VIEWER).total == before + 1
    assert entry.action is Action.REPORT_MADE
    assert (entry.actor, entry.after["sha256"]) == (SCIENTIST.id, first.line.sha256)


def test_another_week_is_another_report_and_the_newest_is_first(kept: Office) -> None:
    last = kept.reports.choices(VIEWER)[0].last_day
    earlier = kept.reports.freeze(SCIENTIST, kept.reports.weekly(SCIENTIST, MODEL, until=last - timedelta(days=7)))
    lines = kept.reports.room(VIEWER).lines

    assert earlier.line.week.last_day == last - timedelta(days=7)
    assert earlier.line.id in [one.id for one in lines]
    assert [one.made_at for one in lines] == sorted((one.made_at for one in lines), reverse=True)
    assert kept.reports.room(VIEWER, earlier.line.id).selected == earlier


def test_a_viewer_reads_and_may_not_make(kept: Office) -> None:
    draft = kept.reports.weekly(VIEWER, MODEL)
    with pytest.raises(NotAllowed, match="report:make"):
        kept.reports.freeze(VIEWER, draft)
    room = kept.reports.room(VIEWER)
    assert room.why_not == "Needs the role scientist; you are viewer."
    assert kept.reports.room(SCIENTIST).why_not == ""


@pytest.mark.parametrize(
    ("model", "until", "error", "words"),
    [
        ("nobody", None, NotFound, "No model nobody"),
        (MODEL, date(2040, 1, 1), InvalidInput, "is not over in UTC"),
        (MODEL, date(1, 1, 3), InvalidInput, "too long ago"),
    ],
)
def test_what_cannot_be_reviewed_is_refused_in_words(
    kept: Office, model: str, until: date | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        kept.reports.weekly(VIEWER, model, until=until)


def test_an_unknown_report_is_said_and_the_newest_is_shown(kept: Office) -> None:
    kept.reports.freeze(SCIENTIST, kept.reports.weekly(SCIENTIST, MODEL))
    room = kept.reports.room(VIEWER, "nothing")
    assert room.missing == "nothing"
    assert room.selected is not None
    with pytest.raises(NotFound):
        kept.reports.report(VIEWER, "nothing")


def test_a_late_label_changes_the_live_view_and_never_the_frozen_one(context: Context) -> None:
    made = office(context)
    first = made.reports.freeze(SCIENTIST, made.reports.weekly(SCIENTIST, MODEL))
    assert made.reports.room(VIEWER, first.line.id).since.startswith("Nothing has changed since")

    made.world.relabel(first.line.week.start, 1.0)
    made.world.relabel(first.line.week.start + timedelta(minutes=12), 0.0)
    made.world.evaluate(later=timedelta(hours=1))
    room = made.reports.room(VIEWER, first.line.id)

    assert made.reports.report(VIEWER, first.line.id) == first
    assert sha256_of(made.reports.weekly(VIEWER, MODEL, until=first.line.week.last_day).facts) != first.line.sha256
    assert "changed since" in room.since
    assert made.reports.with_hash(VIEWER, first.line.sha256) == first
    assert made.reports.with_hash(VIEWER, "0" * 64) is None


def test_a_model_without_a_judged_day_asks_for_a_week_and_says_what_is_not_known(context: Context) -> None:
    made = office(context, traffic=False)
    assert made.reports.choices(VIEWER)[0].last_day is None
    with pytest.raises(InvalidInput, match="No day of flight-delay was judged yet"):
        made.reports.weekly(VIEWER, MODEL)

    draft = made.reports.weekly(VIEWER, MODEL, until=(made.world.now - DAY).date())
    assert draft.facts["performance"] is None
    assert draft.facts["verdict"]["empty"] == made.world.room().empty
    report = made.reports.freeze(SCIENTIST, draft)
    assert "Not known" in made.reports.html(VIEWER, report.line.id)


def test_a_regression_is_reviewed_in_the_unit_of_its_label(context: Context) -> None:
    base = world(context)
    made = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: made.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    made.reference()
    made.worse = 25.0
    made.live(20)
    made.evaluate(later=2 * DAY)
    reports = ReportService(context)
    report = reports.freeze(SCIENTIST, reports.weekly(SCIENTIST, MODEL))
    told, shown = report.facts["performance"], made.room("1y").performance

    assert (
        (told["metric"], told["unit"], told["decimals"])
        == (shown.metric, shown.unit, shown.decimals)
        == ("mae", "min", 2)
    )
    assert told["reference"] == shown.baseline
    assert report.facts["verdict"]["health"] == "harmed"
    text = reports.html(VIEWER, report.line.id)
    assert f"{told['now']['value']:.2f} min" in text
    assert "The mean label is" in text
    assert "Label rate" not in text


def test_what_somebody_would_act_on_is_taken_from_a_review_without_its_amounts(kept: Office) -> None:
    facts = kept.reports.weekly(VIEWER, MODEL).facts
    said = standing(facts)
    assert {"health", "live version", "moved", "alerts", "gates passed"} <= set(said)
    assert not {"rows", "label coverage", "ripe"} & set(said)
    assert said["moved"] == sorted(facts["inputs"]["moved"]) != []
    more = {**facts, "rows": {**facts["rows"], "n": facts["rows"]["n"] + 1}}
    assert substance(more) == substance(facts)
    assert substance({**facts, "inputs": {**facts["inputs"], "moved": []}}) != substance(facts)
