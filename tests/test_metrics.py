"""The numbers of a process as Prometheus' own parser reads them, of one process and of several behind one port."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from mlops_dash.metrics import FOLDER, Fact, Metrics, fresh_folder

ROOT = Path(__file__).parents[1]
COUNTING = """
from mlops_dash.metrics import Metrics
numbers = Metrics()
numbers.counter("rows", "Rows.", ["model"]).labels("o'brien").inc(2)
numbers.gauge("waiting", "Waiting.").set(5)
numbers.histogram("seconds", "Seconds.").observe(0.004)
"""


def read(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Values by name and labels, of the series that are not about the process itself."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
        if not one.name.startswith("process_") and not one.name.endswith("_created")
    }


def test_what_was_counted_and_what_is_looked_up_are_given_together() -> None:
    numbers, asked = Metrics(), []

    def facts() -> list[Fact]:
        asked.append(1)
        return [
            Fact("share", 'Of "rows".', 0.25, {"model": 'it\'s "late"\\\n'}),
            Fact("share", 'Of "rows".', 1, {"model": "天気"}),
        ]

    numbers.look_up(facts)
    assert asked == []  # only when somebody asks
    numbers.counter("rows", "Rows.", ["model"]).labels("weekly").inc(3)
    numbers.histogram("seconds", "Seconds.").observe(0.004)
    told = read(numbers.text())
    assert told["rows_total", (("model", "weekly"),)] == 3
    assert told["share", (("model", 'it\'s "late"\\\n'),)] == 0.25
    assert told["share", (("model", "天気"),)] == 1
    assert told["seconds_bucket", (("le", "0.0025"),)] == 0
    assert told["seconds_bucket", (("le", "0.005"),)] == 1
    assert asked == [1]


def test_a_process_tells_of_its_memory() -> None:
    assert b"process_resident_memory_bytes" in Metrics().text()


def test_two_installations_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.counter("rows", "Rows.").inc()
    second.counter("rows", "Rows.")
    assert read(second.text())["rows_total", ()] == 0


def test_of_processes_behind_one_port_whichever_is_asked_gives_the_sums_and_nothing_of_what_the_dead_had_set(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"of the last start")
    shared = fresh_folder(folder)
    assert set(shared) == {FOLDER}
    assert list(folder.iterdir()) == []
    environment = {**os.environ, **shared, "PYTHONPATH": str(ROOT / "src")}
    asking = f"{COUNTING}\nimport sys; sys.stdout.buffer.write(numbers.text())"
    subprocess.run([sys.executable, "-c", COUNTING], env=environment, check=True, timeout=60)
    ended = subprocess.run([sys.executable, "-c", asking], env=environment, check=True, timeout=60, capture_output=True)
    told = read(ended.stdout)
    assert told["rows_total", (("model", "o'brien"),)] == 4
    assert told["seconds_count", ()] == 2
    assert told["waiting", ()] == 5  # the first process has ended and waits for nothing


# --- what we give to who has a wall -----------------------------------------------------------------------------------


def named_in_code() -> set[str]:
    """Names of series that our processes give, without what Prometheus' library adds to them."""
    import app.shell.counted
    from mlops_dash.gateway.metrics import GatewayMetrics

    counted = GatewayMetrics().all.text() + app.shell.counted.METRICS.text()
    names = set(re.findall(r"^# TYPE (mlops_dash_\w+)", counted.decode(), re.MULTILINE))
    worker = (ROOT / "src/mlops_dash/worker/metrics.py").read_text()
    names |= {f"mlops_dash_model_{one}" for one in re.findall(r'\{_M\}(\w+)|\("(\w+)",', worker) for one in one if one}
    names |= {f"mlops_dash_worker_{one}" for one in re.findall(r"\{_W\}(\w+)", worker)}
    return names | {f"mlops_dash_{one}" for one in re.findall(r"\{PREFIX\}(\w+)", worker)}


def asked_of(text: str) -> set[str]:
    names = re.findall(r"mlops_dash_\w+", text)
    return {name for name in names if name != "mlops_dash"}


@pytest.mark.parametrize("file", ["grafana-dashboard.json", "mlops-dash.rules.yml"])
def test_a_wall_asks_for_nothing_that_we_do_not_tell(file: str) -> None:
    text = (ROOT / "deploy" / file).read_text(encoding="utf-8")
    parsed = json.loads(text) if file.endswith("json") else yaml.safe_load(text)
    if file.endswith("json"):
        asked = asked_of(" ".join(one["expr"] for panel in parsed["panels"] for one in panel["targets"]))
        places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in parsed["panels"]]
        assert all(x + w <= 24 for x, _, w, _ in places)
        assert len(set(places)) == len(places) >= 10
    else:
        asked = asked_of(" ".join(rule["expr"] for group in parsed["groups"] for rule in group["rules"]))
    known = named_in_code()
    base = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert base <= known, base - known
    assert len(asked) >= 4


def test_prometheus_is_sent_to_our_ports() -> None:
    from mlops_dash.settings import Settings

    said = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    ports = {int(one["static_configs"][0]["targets"][0].rsplit(":", 1)[1]) for one in said["scrape_configs"]}
    fields = Settings.__dataclass_fields__
    assert ports == {fields[name].default for name in ("worker_port", "gateway_port", "ui_port")}
    assert said["rule_files"] == ["mlops-dash.rules.yml"]
