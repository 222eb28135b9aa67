"""Answer requests of MLflow's protocol: one alone, or those that waited together by one call of the model.

Together only where each answer is what it would be alone (`tracking/models/together.py`), and only for models whose
rows do not depend on each other, or whose setting says so. On any surprise the same requests are answered one by one,
so a bad one fails alone, in MLflow's own words.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.events import unit_name
from mlops_dash.errors import InvalidInput
from mlops_dash.services.command import Context, record
from mlops_dash.services.scoring import arms, intake
from mlops_dash.services.scoring.arms import ArmAnswers
from mlops_dash.services.scoring.following import Following, Live
from mlops_dash.services.scoring.pending import Answered, Pending, times_of
from mlops_dash.services.scoring.pulses import Pulses
from mlops_dash.services.tables import names_in_csv
from mlops_dash.stats.arrays import Bools
from mlops_dash.store.prediction_log import Score
from mlops_dash.store.serving import ServedVersion
from mlops_dash.tracking.models import protocol, together
from mlops_dash.tracking.models.together import NotTogether, Rows

_log = logging.getLogger(__name__)
LOAD_PATIENCE = 1.0  # seconds that requests of a model wait for its new version before the one before answers on


@dataclass(frozen=True)
class Asked:
    """A request that may be answered: whoever asks was let in."""

    actor: Actor
    model: str
    body: bytes
    content_type: str
    batch_id: str
    ids_column: str = ""
    unit: str = ""  # of all its rows, for a test that draws by units


Said = tuple[int, Answered | Exception]  # place among what was asked, and what became of it


class Answering:
    """Answers of ours to requests of MLflow's protocol."""

    def __init__(self, context: Context, following: Following, pulses: Pulses) -> None:
        self.context = context
        self._following = following
        self._pulses = pulses
        self._settings = dict(context.settings.batch_rows_of)
        self._one_by_one: set[str] = set()  # digests of models whose answers cannot be told apart by row

    @record(Permission.SCORE_WRITE)
    def answer(
        self, actor: Actor, model: str, body: bytes, content_type: str, *, batch_id: str, ids_column: str = "",
        unit: str = "",
    ) -> Answered:  # fmt: skip
        """Answer one request of MLflow's protocol, byte for byte; on success hand out what is to be stored.

        The caller must `store` the pending part before it sends the answer.

        Raises:
            NotFound, NothingToServe, BrokenModel: as `score`.
            InvalidInput: the id column is missing.
            InvalidRow: an id cannot be used. Other values that cannot be kept leave the answer as it is, with the
                reason in `not_logged`.
        """
        rules.require_name(batch_id, "X-Prediction-Batch")
        asked = Asked(actor, model, body, content_type, batch_id, ids_column, unit)
        return self._alone(self._following.live(model), asked)

    @record(Permission.SCORE_WRITE)
    def ask(
        self, actor: Actor, model: str, body: bytes, content_type: str, *, batch_id: str, ids_column: str = "",
        unit: str = "",
    ) -> Asked:  # fmt: skip
        """Let a request in that `answer_all` will answer.

        Raises:
            InvalidInput: the batch has a name that cannot be kept.
        """
        rules.require_name(batch_id, "X-Prediction-Batch")
        return Asked(actor, model, body, content_type, batch_id, ids_column, unit)

    @record(Permission.SYSTEM)
    def rows_at_once(self, actor: Actor, model: str) -> int:
        """How many rows of several requests may go through a model together; 1 = each request alone. Asks nobody."""
        live = self._following.peek(model)
        return 1 if live is None else self._most(live)

    @record(Permission.SYSTEM)
    def answer_all(self, actor: Actor, model: str, asked: Sequence[Asked]) -> Iterator[Sequence[Said]]:
        """Answer what waited, in as few calls of the model as may be; gives answers, or what was raised, as they come.

        Each is as `answer` gives or raises it, and its pending part must be stored before it is sent.
        """
        try:
            live = self._following.live(model, patience=LOAD_PATIENCE)
        except Exception as error:  # noqa: BLE001 - each of those who wait must hear of it
            yield [(place, error) for place in range(len(asked))]
            return
        most = self._most(live)
        kinds = together.kinds_of(live.champion.model) if most > 1 else None
        alone, groups = list(range(len(asked))), dict[tuple[str, ...], list[tuple[int, Rows]]]()
        if kinds is not None:
            alone = []
            for place, one in enumerate(asked):
                rows = None if one.ids_column else together.read(kinds, one.body, one.content_type)
                if rows is None or rows.rows > most:
                    alone.append(place)
                else:
                    groups.setdefault(rows.columns, []).append((place, rows))
        for group in groups.values():
            for part in _parts(group, most):
                try:
                    said = self._together(live, [asked[place] for place, _ in part], [rows for _, rows in part])
                except Exception as error:  # noqa: BLE001 - a bad one among them, or a model that is not as it seemed
                    if isinstance(error, NotTogether):
                        self._one_by_one.add(live.champion.model.digest)
                    _log.debug("answered one by one", extra={"model": model}, exc_info=True)
                    alone += [place for place, _ in part]
                else:
                    yield [(place, one) for (place, _), one in zip(part, said, strict=True)]
        for place in alone:
            try:
                yield [(place, self._alone(live, asked[place]))]
            except Exception as error:  # noqa: BLE001 - who asked must hear of it, and the others are answered
                yield [(place, error)]

    def _most(self, live: Live) -> int:
        champion = live.champion.model
        if champion.digest in self._one_by_one:
            return 1
        said = self._settings.get(live.tried.model)
        if said is not None:
            return said
        asked = (live.champion, *live.shadows, *(() if live.arm is None else (live.arm,)))
        return self.context.settings.batch_rows if all(one.model.row_by_row for one in asked) else 1

    def _alone(self, live: Live, asked: Asked) -> Answered:
        now = self.context.clock.now()

        csv = asked.content_type.partition(";")[0].strip() == "text/csv"
        column = arms.entity_of(live)
        exact = names_in_csv(asked.body, column) if csv and column and not asked.unit else None  # "007" is a name

        def units_of(data: pd.DataFrame) -> Sequence[str]:
            if exact is not None and len(exact) == len(data):
                return [unit_name(one) for one in exact]
            return arms.units_of(live, data, asked.unit)

        def route(found: Sequence[Any] | None, data: pd.DataFrame) -> Bools:
            rows = len(data)
            named = intake.names_in(asked.batch_id, rows) if found is None else [str(one) for one in found]
            return arms.rows_of_challenger(live, named, [now] * rows, units_of(data))

        challenger = None if live.arm is None else protocol.Challenger(
            live.arm.model, route, lambda rows, own: self._pulses.again(live, rows, own)
        )  # fmt: skip
        said = protocol.answer(
            live.champion.model, asked.body, asked.content_type, ids_column=asked.ids_column,
            ids=names_in_csv(asked.body, asked.ids_column) if csv and asked.ids_column else None,
            challenger=challenger, traces=self.context.settings.protocol_traces,
        )  # fmt: skip
        self._pulses.note(live, said.beside)
        if said.frame is None or said.scores is None:
            return Answered(said.body, said.status, said.media_type, None, said.not_logged)
        named = intake.names_in(asked.batch_id, len(said.frame))
        ids = named if said.ids is None else rules.require_ids(said.ids, column=asked.ids_column)
        arm = None
        if live.arm is not None and said.challenger_rows is not None and said.challenger_scores is not None:
            arm = ArmAnswers(live.arm.version, said.challenger_rows, said.challenger_scores)
        kept = intake.sifted(live, said.frame, said.scores, arm, ids, units_of(said.frame))
        at = times_of(now, len(kept.ids), now)
        try:
            pending = intake.ours(
                live, kept.frame, kept.scores, ids=kept.ids, at=at, batch_id=asked.batch_id, arm=kept.arm,
                numbers=kept.numbers, units=kept.units,
            )  # fmt: skip
        except InvalidInput as error:  # the model has answered: what cannot be kept must not keep it from the client
            return Answered(said.body, said.status, said.media_type, None, error.message)
        pending = replace(pending, set_aside=pending.set_aside + kept.set_aside(live, now))
        return Answered(said.body, said.status, said.media_type, pending, intake.said_of(kept.unfit))

    def _together(self, live: Live, asked: Sequence[Asked], rows: Sequence[Rows]) -> Sequence[Answered]:
        """Answers in the order of what was asked.

        Raises:
            NotTogether: the model does not answer row by row.
            Exception: anything else that is not as in a plain good request.
        """
        now = self.context.clock.now()
        lengths = [one.rows for one in rows]
        each = list(zip(asked, lengths, strict=True))
        ids = [name for one, length in each for name in intake.names_in(one.batch_id, length)]
        if len(set(ids)) < len(ids):
            raise InvalidInput("A batch was sent twice at once.")
        at = times_of(now, len(ids), now)
        units = [name for one, own in zip(asked, rows, strict=True) for name in _units(live, one, own)]
        said = together.answer(
            live.champion.model, rows, challenger=None if live.arm is None else live.arm.model,
            route=lambda _rows: arms.rows_of_challenger(live, ids, at, units),
            again=lambda rows, own: self._pulses.again(live, rows, own),
        )  # fmt: skip
        arm = None
        if live.arm is not None and said.challenger_rows is not None and said.challenger_scores is not None:
            arm = ArmAnswers(live.arm.version, said.challenger_rows, said.challenger_scores)
        kept = intake.sifted(live, said.frame, said.scores, arm, ids)
        if kept.unfit:
            raise InvalidInput("A row of one of them cannot be kept.")
        self._pulses.note(live, said.beside)
        batches = [one.batch_id for one, length in each for _ in range(length)]
        pending = intake.ours(
            live, said.frame, said.scores, ids=ids, at=at, batch_id=batches, arm=arm, strict=True,
            units=units,
        )  # fmt: skip
        shares = _shared(live, pending, arm, asked, lengths)
        return [Answered(body, 200, "application/json", share) for body, share in zip(said.bodies, shares, strict=True)]


def _units(live: Live, asked: Asked, rows: Rows) -> Sequence[str]:
    """The units of a request's rows as `arms.units_of` gives them; none of a test that draws by something else."""
    column = arms.entity_of(live)
    if not column:
        return ()
    place = rows.columns.index(column) if column in rows.columns else None
    values = (asked.unit,) * rows.rows if asked.unit or place is None else rows.values[place]
    return [unit_name(one) for one in values]


def _parts(group: Sequence[tuple[int, Rows]], most: int) -> Iterator[list[tuple[int, Rows]]]:
    """Requests in their order, as many at once as have no more than `most` rows; those of one stay together."""
    part: list[tuple[int, Rows]] = []
    rows = 0
    for one in group:
        if part and rows + one[1].rows > most:
            yield part
            part, rows = [], 0
        part.append(one)
        rows += one[1].rows
    if part:
        yield part


def _shared(
    live: Live, pending: Pending, arm: ArmAnswers | None, asked: Sequence[Asked], lengths: Sequence[int]
) -> Iterator[Pending]:
    """What is to be stored of each request."""
    whose = {}
    first = 0
    for number, length in enumerate(lengths):
        whose.update(dict.fromkeys(pending.prediction_ids[first : first + length], number))
        first += length
    scores: list[list[Score]] = [[] for _ in asked]
    for score in pending.scores:
        scores[whose[score.prediction_id]].append(score)
    first = 0
    for number, (one, length) in enumerate(zip(asked, lengths, strict=True)):
        last = first + length
        by: ServedVersion | None = live.champion.version
        if arm is not None and arm.rows[first:last].any():
            by = arm.version if arm.rows[first:last].all() else None
        yield Pending(
            pending.model, one.batch_id, "" if by is None else by.id, "" if by is None else by.version,
            pending.predictions[first:last], tuple(scores[number]),
            set_aside=tuple(aside for aside in pending.set_aside if whose[aside.prediction_id] == number),
        )  # fmt: skip
        first = last
