"""`report`: a file that is kept, listed and checked; words instead of tracebacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash import cli
from mlops_dash.bootstrap import Services
from mlops_dash.cli import remarks
from mlops_dash.cli import reports as words
from tests import factories
from tests.services.reports_world import MODEL, office

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The services as the command line finds them, on a small made world."""
    context = factories.context(tmp_path_factory.mktemp("reports-cli"))
    yield office(context)
    context.databases.dispose()


@pytest.fixture
def run(house: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(words, "services", lambda: house)
    monkeypatch.setattr(words, "actor", lambda made: factories.SCIENTIST)

    def call(*said: str) -> tuple[int, str, str]:
        code = cli.main(["report", *said])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return call


def test_a_review_is_written_listed_and_checked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "week.html"
    code, out, _ = run("weekly", "--model", MODEL, "--out", str(file), "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["sha256"] in file.read_text()
    assert answer["bytes"] == file.stat().st_size

    code, out, _ = run("list", "--json")
    assert (code, json.loads(out)[0]["sha256"]) == (0, answer["sha256"])
    assert run("list")[1].startswith(answer["sha256"][:12])
    code, out, _ = run("check", str(file))
    assert (code, out.split()[:2]) == (0, ["ok", f"{answer['sha256']}:"])


def test_making_it_again_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        assert run("weekly", "--model", MODEL, "--out", str(tmp_path / name))[0] == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("level", ["executive", "audit"])
def test_a_review_is_written_for_a_reader_and_is_still_what_we_wrote(run: Run, tmp_path: Path, level: str) -> None:
    usual, file = tmp_path / "week.html", tmp_path / f"{level}.html"
    first = json.loads(run("weekly", "--model", MODEL, "--out", str(usual), "--json")[1])
    code, out, _ = run("weekly", "--model", MODEL, "--out", str(file), "--level", level, "--json")
    answer = json.loads(out)
    assert (code, answer["level"], answer["id"], answer["sha256"]) == (0, level, first["id"], first["sha256"])
    assert file.read_bytes() != usual.read_bytes()
    assert run("check", str(file))[0] == 0
    file.write_text(file.read_text().replace("Inputs moved", "All is well"))
    assert run("check", str(file))[0] == 1


def test_a_level_that_does_not_exist_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("weekly", "--model", MODEL, "--out", str(tmp_path / "week.html"), "--level", "boss")
    assert "executive" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("&#34;tier&#34;:2", "&#34;tier&#34;:1", "changed: the facts have the hash"),
        ("Label coverage", "Label cover", "facts ok "),
    ],
)
def test_a_changed_file_is_found(run: Run, tmp_path: Path, was: str, becomes: str, said: str) -> None:
    file = tmp_path / "week.html"
    run("weekly", "--model", MODEL, "--out", str(file))
    text = file.read_text()
    assert was in text
    file.write_text(text.replace(was, becomes, 1))
    code, out, _ = run("check", str(file))
    assert code == 1
    assert out.startswith(said)


def test_a_file_of_another_house_is_not_kept_here(run: Run, tmp_path: Path) -> None:
    from mlops_dash.rendering import reports
    from tests.rendering.facts import FACTS

    file = tmp_path / "theirs.html"
    file.write_text(reports.html(FACTS))
    code, out, _ = run("check", str(file))
    assert (code, out.split(":")[0]) == (1, "not kept here")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["weekly", "--model", MODEL, "--out", "week.doc"],
            "week.doc does not end in .html, .pdf, .md, .json, .xlsx, .pptx.",
        ),
        (
            ["weekly", "--model", MODEL, "--out", "week.pdf", "--format", "json"],
            "named as .pdf, but the format is json",
        ),
        (["weekly", "--model", MODEL, "--out", "nowhere/week.html"], "There is no folder nowhere"),
        (["weekly", "--model", "nobody", "--out", "week.html"], "No model nobody."),
        (["weekly", "--model", MODEL, "--until", "2040-01-01", "--out", "week.html"], "is not over"),
        (["check", "nowhere.html"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = run(*arguments)
    assert code == 2
    assert said in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "begins"), [("w.pdf", b"%PDF-"), ("w.md", b"# "), ("w.xlsx", b"PK"), ("w.json", b"{")]
)
def test_the_ending_says_the_format(run: Run, tmp_path: Path, name: str, begins: bytes) -> None:
    code, out, _ = run("weekly", "--model", MODEL, "--out", str(tmp_path / name), "--json")
    content = (tmp_path / name).read_bytes()
    assert (code, json.loads(out)["bytes"]) == (0, len(content))
    assert content.startswith(begins)


def test_every_kind_is_made_by_command(run: Run, tmp_path: Path) -> None:
    for n, said in enumerate((["fleet"], ["dossier", "--model", MODEL, "--version", "v1"])):
        file = tmp_path / f"{n}.json"
        code, out, _ = run(*said, "--out", str(file), "--json")
        answer, read = json.loads(out), json.loads(file.read_text())
        assert code == 0
        assert (read["kind"], read["sha256"]) == (answer["kind"], answer["sha256"])
        assert run("check", str(file))[1].startswith("ok ")
    assert "Fleet summary" in run("list")[1]
    code, _, error = run("ab", "--out", str(tmp_path / "x.html"))
    assert (code, "No A/B test was designed yet." in error) == (2, True)
    code, _, error = run("dossier", "--model", MODEL, "--version", "99", "--out", str(tmp_path / "x.html"))
    assert (code, "99" in error, (tmp_path / "x.html").exists()) == (2, True, False)


def test_a_format_can_be_named_where_the_file_has_no_ending(run: Run, tmp_path: Path) -> None:
    assert run("weekly", "--model", MODEL, "--out", str(tmp_path / "week"), "--format", "json")[0] == 0
    assert json.loads((tmp_path / "week").read_text())["schema"] == "mlops-dash.report"


def test_the_json_and_the_facts_alone_are_checked_too(run: Run, tmp_path: Path) -> None:
    whole, facts = tmp_path / "week.json", tmp_path / "facts.json"
    run("weekly", "--model", MODEL, "--out", str(whole))
    read = json.loads(whole.read_text())
    facts.write_text(json.dumps(read["facts"]))
    assert run("check", str(whole))[1].startswith(f"ok {read['sha256']}: made by scientist")
    assert run("check", str(facts))[1].startswith(f"ok {read['sha256']}: made by scientist")

    whole.write_text(json.dumps({**read, "facts": {**read["facts"], "format": 7}}))
    assert run("check", str(whole))[1].startswith("changed: the facts have the hash")
    whole.write_text(json.dumps({**read, "made_by": "user:nobody"}))
    assert run("check", str(whole))[:2] == (
        1,
        "changed: its facts are those of a report that is kept here, but what stands around them is not\n",
    )
    facts.write_text(json.dumps({**read["facts"], "format": 7}))
    assert run("check", str(facts))[1].startswith("not kept here")
    facts.write_text('{"a": 1}')
    assert "holds no facts" in run("check", str(facts))[2]


def test_a_file_of_another_version_is_not_called_changed(run: Run, tmp_path: Path) -> None:
    page, whole = tmp_path / "week.html", tmp_path / "week.json"
    run("weekly", "--model", MODEL, "--out", str(page))
    run("weekly", "--model", MODEL, "--out", str(whole))
    page.write_text(page.read_text().replace("padding:28px 24px 48px", "padding:24px", 1))
    code, out, _ = run("check", str(page))
    assert code == 1
    assert "facts ok" in out
    assert "by scientist, kept here" in out
    assert out.endswith("another version made it, or somebody changed it\n")

    older = json.loads(whole.read_text())
    del older["zone"], older["subject"]
    whole.write_text(json.dumps({**older, "schema_version": 0}))
    assert run("check", str(whole))[1].startswith("ok ")
    others: list[dict[str, object]] = [{"week": 22}, {"start": "2013-01-01T00:00:00+00:00"}, {"start": {"no": "day"}}]
    for one in others:
        whole.write_text(json.dumps({**older, **one}))
        assert run("check", str(whole))[1].startswith("changed: ")


def test_any_other_html_holds_no_facts(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<p>hello</p>")
    assert "holds no facts" in run("check", str(file))[2]


def test_a_day_must_be_a_day(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("weekly", "--model", MODEL, "--until", "yesterday", "--out", "week.html")
    assert "is no day; write it as 2013-06-01" in capsys.readouterr().err


def test_two_reviews_are_compared_by_their_hashes(run: Run, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "w.json"), "--json")
    made = [json.loads(run("weekly", "--model", MODEL, *out)[1])]
    before = datetime.fromisoformat(made[0]["week"]["end"]) - timedelta(days=8)
    made.append(json.loads(run("weekly", "--model", MODEL, "--until", before.date().isoformat(), *out)[1]))
    code, out, error = run("compare", made[0]["sha256"][:10], made[1]["id"], "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["changes"] != []
    assert run("compare", made[0]["id"], "gone")[0] == 2


def test_a_report_is_signed_and_commented_and_files_of_before_and_after_are_ours(
    run: Run, house: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remarks, "services", lambda: house)
    monkeypatch.setattr(remarks, "actor", lambda made: factories.LEAD)
    early = tmp_path / "early.html"
    answer = json.loads(run("weekly", "--model", MODEL, "--out", str(early), "--json")[1])
    assert run("sign", answer["id"], "--text", "I stand behind it")[1] == "lead signed it.\n"
    assert run("sign", answer["id"], "--text", "again")[0] == 2
    assert json.loads(run("comment", answer["id"], "--text", "thin <b>limits", "--json")[1])["kind"] == "comment"
    assert [one["name"] for one in json.loads(run("remarks", answer["id"], "--json")[1])] == ["lead", "lead"]
    assert "Signed off  lead: I stand behind it" in run("remarks", answer["id"])[1]
    assert run("unsign", answer["id"], "--text", "the labels were wrong")[1] == "lead withdrew the sign-off.\n"
    assert run("unsign", answer["id"], "--text", "again")[0] == 2
    for name, level in (("late.html", "technical"), ("late-audit.html", "audit"), ("late.json", "technical")):
        file = tmp_path / name
        assert run("weekly", "--model", MODEL, "--out", str(file), "--level", level)[0] == 0
        assert "I stand behind it" in file.read_text()
        assert run("check", str(file))[0] == 0, name
        file.write_text(file.read_text().replace("I stand behind it", "I never read it"))
        assert run("check", str(file))[0] == 1, name
    assert run("check", str(early))[0] == 0
