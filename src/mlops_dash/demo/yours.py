"""The second demo: what a team that nobody here knows would type, line by line, with models of its own.

Each line is printed as a reader can copy it and then done by the same door: a command, an HTTP call, or one of the
team's own programs (`examples/`). No service is called from here; `run` is the command line itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from mlops_dash.demo.diary import Diary
from mlops_dash.errors import Unavailable

CANCELLED, DIGITS, MINUTES = "cancelled-flights", "digits", "minutes-in-the-air"
ADA, BEN, PASSWORD = "ada", "ben", "four short words"
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_REFUSED = 2
_SERVED_SECONDS = 120.0  # the worker looks at MLflow every few seconds; a model loads within some more


@dataclass
class Typist:
    """Prints a line and does it.

    Attributes:
        run: The command line: words in, exit code out.
        folder: Where the team's files lie; lines are typed there.
        programs: The folder of the team's programs.
        client: The folder that holds the client's package.
        gateway: Its address.
        mlflow: The address of the team's MLflow.
        diary: Which lines were typed before a break.
    """

    run: Callable[[Sequence[str]], int]
    folder: Path
    programs: Path
    client: Path
    gateway: str
    mlflow: str
    secrets: dict[str, str] = field(default_factory=dict)
    diary: Diary = field(default_factory=Diary)

    def say(self, title: str) -> None:
        """What the next lines are for."""
        print(f"\n# {title}", flush=True)

    def type(self, line: str, *, by: str = "", ends: Collection[int] = (0,)) -> None:
        """Run a command as the owner of the store, or by somebody's token.

        Raises:
            Unavailable: it ended otherwise than it has to here.
        """
        print(f"$ {f'MLOPS_DASH_TOKEN=${by.upper()} ' if by else ''}mlops-dash {line}", flush=True)
        self.diary.once(line, lambda again: self._do(line, by, ends, again=again))

    def add_person(self, name: str, role: str) -> None:
        """Make an account; its password comes on standard input."""
        print(f"$ echo {shlex.quote(PASSWORD)} | mlops-dash user add {name} --role {role}", flush=True)
        line = f"user add {name} --role {role}"

        def add(again: bool) -> str:
            before, sys.stdin = sys.stdin, io.StringIO(f"{PASSWORD}\n")
            try:
                return self._do(line, "", (0,), again=again)
            finally:
                sys.stdin = before

        self.diary.once(line, add)

    def keep(self, name: str, line: str) -> None:
        """Keep what a command prints, a token, as a variable of the shell: it is shown nowhere."""
        print(f"$ {name.upper()}=$(mlops-dash {line})", flush=True)
        self.secrets[name] = self._said(line, "").strip()

    def policy(self, line: str, *, reason: str) -> None:
        """Ben writes a policy, Ada puts it into force."""
        whole = f"policy set {line} --reason {shlex.quote(reason)}"
        print(f"$ POLICY=$(MLOPS_DASH_TOKEN=$BEN mlops-dash {whole} --json | jq -r .id)", flush=True)
        written = json.loads(self._said(f"{whole} --json", BEN))["id"]
        print(f"$ MLOPS_DASH_TOKEN=$ADA mlops-dash policy activate $POLICY --reason {shlex.quote('read and agreed')}")
        activate = f"policy activate {written} --reason 'read and agreed'"
        self.diary.once(activate, lambda again: self._do(activate, ADA, (0,), again=again))

    def program(self, name: str, *words: str, token: str = "") -> None:
        """Run one of the team's programs, with its own environment.

        Raises:
            Unavailable: it failed; its last lines are in the sentence.
        """
        variables = {"MLFLOW_TRACKING_URI": self.mlflow}
        if token:
            variables = {"PYTHONPATH": str(self.client), "MLOPS_DASH_TOKEN": f"${token.upper()}"}
        shown = " ".join(f"{key}={value}" for key, value in variables.items())
        print(f"$ {shown} python {shlex.join([str(self.programs / name), *words])}", flush=True)
        self.diary.once(f"python {name} by {token or 'the team'}", lambda _: self._run(name, words, token, variables))

    def _run(self, name: str, words: Sequence[str], token: str, variables: dict[str, str]) -> str:
        own = {**variables, "MLOPS_DASH_TOKEN": self.secrets[token]} if token else variables
        done = subprocess.run(
            [sys.executable, str(self.programs / name), *words], cwd=self.folder, stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_STATE_HOME": str(self.folder), **own},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(f"{name} ended with {done.returncode}: {(done.stderr or done.stdout)[-600:].strip()}")
        if token:
            print(done.stdout.strip(), flush=True)
        return ""

    def wait_until_served(self, wanted: dict[str, str]) -> None:
        """Ask the gateway which versions answer, until these do.

        Raises:
            Unavailable: they do not within two minutes.
        """
        print(f'$ curl -H "Authorization: Bearer $BEN" {self.gateway}/v1/serving', flush=True)
        self.diary.once(f"wait for {sorted(wanted.items())}", lambda _: self._waited(wanted))

    def _waited(self, wanted: dict[str, str]) -> str:
        until, found = time.monotonic() + _SERVED_SECONDS, dict[str, str]()
        while time.monotonic() < until:
            found = self._serving()
            if wanted.items() <= found.items():
                print(", ".join(f"{model} v{version}" for model, version in sorted(found.items())), flush=True)
                return ""
            time.sleep(1.0)
        raise Unavailable(f"The gateway answers with {found or 'nothing'}, not with {wanted}.", hint="Look at its log.")

    def _serving(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.secrets[BEN]}"}
        try:
            said: list[dict[str, Any]] = (
                httpx.get(f"{self.gateway}/v1/serving", headers=headers, timeout=30, trust_env=False)
                .raise_for_status()
                .json()
            )
        except httpx.HTTPError:
            return {}
        return {str(one["model"]): str(one["version"]) for one in said if one.get("version")}

    def _said(self, line: str, by: str) -> str:
        def say(_again: bool) -> str:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                self._do(line, by, (0,))
            return out.getvalue()

        return self.diary.once(line, say)

    def _do(self, line: str, by: str, ends: Collection[int], *, again: bool = False) -> str:
        """Type it. `again` is the line in which a break fell: where it is refused now, it was done before that."""
        with self._acting(by):
            code = self.run(shlex.split(line))
        if code not in ends and not (again and code == _REFUSED):
            raise Unavailable(f"`mlops-dash {line}` ended with {code}.", hint="What it said stands above.")
        return ""

    @contextlib.contextmanager
    def _acting(self, by: str) -> Iterator[None]:
        before = os.environ.pop("MLOPS_DASH_TOKEN", None)
        if by:
            os.environ["MLOPS_DASH_TOKEN"] = self.secrets[by]
        try:
            yield
        finally:
            os.environ.pop("MLOPS_DASH_TOKEN", None)
            if before is not None:
                os.environ["MLOPS_DASH_TOKEN"] = before


def play(typist: Typist, flights: Path) -> None:
    """Type everything, in order: train, people, connect, logs, references, evidence, a promotion, verdicts.

    Raises:
        Unavailable: a line ended otherwise than it has to; what it said stands above.
    """
    typist.say("The team trains, with MLflow's own client; its files are what it has anyway.")
    typist.program("train.py", str(flights))
    typist.say("Two people and a program. Tokens are shown once.")
    typist.add_person(ADA, "admin")
    typist.add_person(BEN, "lead")
    for name in (ADA, BEN):
        typist.keep(name, f"user token {name}")
    typist.say("What is in MLflow? Two of the three are served from there, one by the team's own service.")
    typist.type("connect", by=BEN)
    typist.type(f"connect --adopt {CANCELLED} --reason 'ours to watch'", by=BEN)
    typist.type(f"model edit {CANCELLED} --positive cancelled --reason 'its probability is of this'", by=BEN)
    classes = " ".join(f"--class {name}" for name in NAMES)
    typist.type(f"connect --adopt {DIGITS} {classes} --reason 'ours to watch'", by=BEN)
    typist.type(f"model add {MINUTES} --source external --task regression --owner ben --reason 'our service'", by=BEN)
    typist.wait_until_served({CANCELLED: "1", DIGITS: "1"})
    _digits(typist)
    _minutes(typist)
    _cancelled(typist)
    typist.say("The three verdicts, as on Overview.")
    for model in (CANCELLED, DIGITS, MINUTES):
        typist.type(f"monitor --model {model}", by=BEN)
    typist.type("audit verify", by=ADA)


def _digits(typist: Typist) -> None:
    """Ten classes, from files; version 2 is proposed and waits for a second person."""
    typist.say(f"{DIGITS}: what version 1 read, from a file; six hundred pictures are the reference.")
    typist.policy(
        f"--model {DIGITS} --kind monitoring --set min_reference_rows=500",
        reason="six hundred pictures are what there is",
    )
    typist.policy(f"--model {DIGITS} --set min_rows=500", reason="six hundred pictures are what there is")
    told = "--time read_at --label digit --id picture"
    typist.type(f"reference push digits-first-1.csv --model {DIGITS} --version 1 {told} --score said", by=BEN)
    typist.type(f"ingest digits-log-1.csv --model {DIGITS} --version 1 {told} --prediction said", by=BEN)
    typist.say(
        f"{DIGITS}: version 2 meets it on the same pictures, and is proposed; somebody else approves on Registry."
    )
    for version in "12":
        rows = f"--rows digits-first-{version}.csv {told} --score said"
        typist.type(f"evidence push --model {DIGITS} --version {version} {rows}", by=BEN)
    _gated(typist, DIGITS)
    typist.type(f"propose --model {DIGITS} --version 2 --reason 'reads nine of ten instead of seven'", by=BEN)


def _minutes(typist: Typist) -> None:
    """A regression that answers elsewhere, over HTTP by a service account."""
    typist.say(f"{MINUTES}: the team's own service logs what it answers, as it answers.")
    typist.policy(f"--model {MINUTES} --kind monitoring --set label_unit=min", reason="it answers in minutes")
    typist.type(f"model answers {MINUTES} --version 1 --reason 'our service runs it'", by=BEN)
    typist.keep("desk", f"service add desk --model {MINUTES} --reason 'logs what it answers'")
    typist.program("log_minutes.py", typist.gateway, "minutes-answered.csv", token="desk")
    typist.say(f"{MINUTES}: nobody kept a reference, so the first four weeks of the log are one.")
    typist.type(f"reference push --first-days 28 --model {MINUTES} --version 1", by=BEN)
    rows = "--rows minutes-answered.csv --id flight_id --label air_time --score said --time scored_at"
    typist.type(f"evidence push --model {MINUTES} --version 1 {rows}", by=BEN)


def _cancelled(typist: Typist) -> None:
    """Two classes in words: labels come apart from predictions, and the better version is promoted."""
    typist.say(f"{CANCELLED}: both versions on the flights of March; the newer one knows the weather.")
    told = "--time scored_at --score p --label became --id flight"
    for version in "12":
        march = f"cancelled-march-{version}.csv"
        typist.type(f"reference push {march} --model {CANCELLED} --version {version} {told}", by=BEN)
        typist.type(f"evidence push --model {CANCELLED} --version {version} --rows {march} {told}", by=BEN)
    _gated(typist, CANCELLED)
    typist.say(f"{CANCELLED}: Ben proposes, Ada approves and promotes; the alias in their MLflow moves, nothing else.")
    typist.type(f"propose --model {CANCELLED} --version 2 --reason 'better on the same flights of March'", by=BEN)
    typist.type(f"approve --model {CANCELLED} --reason 'read the evidence'", by=ADA)
    typist.type(f"gate --model {CANCELLED} --version 2", by=ADA)
    typist.type(f"promote --model {CANCELLED} --reason 'it goes live'", by=ADA)
    typist.wait_until_served({CANCELLED: "2"})
    typist.say(f"{CANCELLED}: it had answered beside version 1 for five weeks; what became of the flights came later.")
    log = "--time scored_at --score p --id flight"
    for version in "12":
        typist.type(f"ingest cancelled-log-{version}.csv --model {CANCELLED} --version {version} {log}", by=BEN)
    typist.type(
        f"labels cancelled-outcomes.csv --model {CANCELLED} --key flight --label became --time known_at", by=BEN
    )


def _gated(typist: Typist, model: str) -> None:
    """Check the files of version 2, compare it with the champion, and ask the gates: 2 = a person is missing."""
    typist.type(f"evidence check --model {model} --version 2", by=BEN)
    typist.type(f"evidence compare --model {model} --version 2", by=BEN)
    typist.type(f"gate --model {model} --version 2", by=BEN, ends=(2,))
