from __future__ import annotations

import io

from mlops_dash.demo.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_says_what_how_much_and_how_long() -> None:
    out, now = Terminal(), [0.0]
    progress = Progress({"train": 10, "replay": 30}, out=out, monotonic=lambda: now[0])

    progress.begin("train")
    now[0] = 10.0
    progress.end()
    progress.begin("replay")
    now[0] = 25.0
    progress.tell(0.5, "Replaying June 2013")

    last = out.getvalue().split("\r")[-1]
    assert " 62%  Replaying June 2013  25 s, about 15 s left" in last


def test_steps_of_an_earlier_start_count_as_done_but_not_as_speed() -> None:
    out, now = Terminal(), [0.0]
    progress = Progress({"train": 30, "replay": 10}, out=out, monotonic=lambda: now[0])

    progress.skip("train")
    progress.begin("replay")
    now[0] = 5.0
    progress.tell(0.5, "Replaying")

    assert " 88%  Replaying  5 s, about 5 s left" in out.getvalue().split("\r")[-1]


def test_without_a_terminal_a_line_is_said_at_most_every_ten_seconds() -> None:
    out, now = io.StringIO(), [0.0]
    progress = Progress({"replay": 10}, out=out, monotonic=lambda: now[0])

    progress.begin("replay")
    for second in range(1, 25):
        now[0] = float(second)
        progress.tell(second / 25, "Replaying")
    progress.finish("The demo stands")

    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[-1] == "The demo stands (24 s)"


def test_no_guess_before_anything_is_done() -> None:
    out, now = Terminal(), [0.0]
    progress = Progress({"train": 10, "replay": 30}, out=out, monotonic=lambda: now[0])
    now[0] = 9.0

    progress.begin("train")

    assert "9 s" in out.getvalue()
    assert "left" not in out.getvalue()
