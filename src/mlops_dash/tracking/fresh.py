"""Score a version's input example in this process and say one line of JSON; started by `check_in_fresh_process`."""

from __future__ import annotations

import json
import sys

from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.tracking.models import score_example


def main(uri: str, artifact_uri: str, allow_pickle: str) -> str:
    """The answer as JSON: ok, reason, error ("" | "broken" | "unavailable")."""
    try:
        check = score_example(uri, artifact_uri, allow_pickle=allow_pickle == "1")
    except BrokenModel as error:
        return json.dumps({"ok": False, "reason": error.sentence(), "error": "broken"})
    except Unavailable as error:
        return json.dumps({"ok": False, "reason": error.sentence(), "error": "unavailable"})
    return json.dumps({"ok": check.ok, "reason": check.reason, "error": ""})


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:4]) + "\n")
