"""What a pickle asks for is read whatever its protocol; what is not read is said."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mlops_dash.tracking.models.pickles import BROKEN, HIDDEN, MORE, imports_of, read_file


@pytest.mark.parametrize("protocol", range(6))
def test_names_are_found_in_every_protocol(protocol: int) -> None:
    found = imports_of(pickle.dumps([Path("a"), np.dtype("f8"), Path("b"), np.float64], protocol=protocol))
    assert {"pathlib.PosixPath", "numpy.dtype", "numpy.float64"} <= set(found)


def test_what_cannot_be_read_is_said() -> None:
    assert imports_of(b"\x80\x04\x8c\x02os\x94garbage") == (BROKEN,)
    computed = b"\x80\x04\x8c\x02os\x94)\x93."  # the attribute's name is no text of the pickle's
    assert imports_of(computed) == (HIDDEN,)


def test_bytes_behind_a_pickle_are_said_and_pickles_there_are_read() -> None:
    first = pickle.dumps({"é": 1})
    assert imports_of(first) == ()
    assert imports_of(first + b"and more") == (MORE,)
    assert set(imports_of(first + pickle.dumps(np.float64))) == {MORE, "numpy.float64"}


def test_a_damaged_archive_and_an_unknown_binary_are_not_understood(tmp_path: Path) -> None:
    damaged = tmp_path / "weights.pth"
    damaged.write_bytes(b"PK\x03\x04" + b"\0" * 20 + b"PK\x05\x06" + b"\xff" * 18)
    assert read_file(damaged, named=True) == ({}, False)
    (tmp_path / "text.txt").write_text('it\'s "été"')
    assert read_file(tmp_path / "text.txt", named=True) == ({}, True)
    (tmp_path / "trees.cb").write_bytes(b"CBM1\0\xff")
    assert read_file(tmp_path / "trees.cb", named=True) == ({}, False)
