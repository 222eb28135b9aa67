"""Which environment and which working folder may a recipe ask for?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from mlops_dash.errors import InvalidInput

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # how a program names a function
_ADDRESS = re.compile(r"(?:(?:https?|ssh|git|file)://|/|[\w.-]+@[\w.-]+:)[^\x00-\x1f\x7f]+")
_SECRET = re.compile(r"https?://[^/?#]*@|\w+://[^/@\s]*:[^/@\s]*@")  # a token is a user name, to a web server


def is_plain_folder(repository: str, commit: str) -> bool:
    """Whether a working folder is one that is copied, and no checkout.

    >>> is_plain_folder("/srv/churn", ""), is_plain_folder("/srv/churn.git", "0" * 40), is_plain_folder("", "")
    (True, False, False)
    """
    return repository.startswith("/") and not commit


def check_workplace(requirements: str, repository: str, commit: str, programs: Iterable[str]) -> None:
    """Refuse an environment or a working folder that cannot be meant.

    Args:
        requirements: A pip requirements file; "" = this environment.
        repository: A git address, or without a commit the whole path of a plain folder; "" = where the worker runs.
        commit: Of the repository.
        programs: What runs there: the recipe's and those of its checks.

    Raises:
        InvalidInput: an address that would show a token or a password or is none, a commit that is a branch, a relative
            file without a checkout, or a function in another environment or folder than ours.
    """
    plain = is_plain_folder(repository, commit)
    if plain and (".." in PurePosixPath(repository).parts or PurePosixPath(repository) == PurePosixPath("/")):
        raise InvalidInput(f"The folder {repository!r} cannot be used.", hint="Write its whole path.")
    if bool(repository) != bool(commit) and not plain:
        raise InvalidInput(
            "A git address and a commit belong together.", hint="Give both, none, or the whole path of a plain folder."
        )
    if repository and not _ADDRESS.fullmatch(repository):
        raise InvalidInput(f"{repository!r} is no git address.", hint="Use https://, ssh://, file:// or git@host:path.")
    if _SECRET.match(repository):
        raise InvalidInput(
            "The git address has a user, a token or a password in it, which everybody would see.",
            hint="Leave it out: git asks the credential store of the worker's account.",
        )
    if repository and not plain and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise InvalidInput(f"{commit!r} is no commit.", hint="Write all its digits: a branch or tag moves.")
    if requirements and (not requirements.isprintable() or ".." in PurePosixPath(requirements).parts):
        raise InvalidInput(f"The requirements file {requirements!r} cannot be used.", hint="Name one file.")
    if requirements and not repository and not requirements.startswith("/"):
        raise InvalidInput(f"The requirements file {requirements} is in no folder.", hint="Write its whole path.")
    function = next((one for one in programs if FUNCTION.fullmatch(one)), "")
    if function and (requirements or repository):
        raise InvalidInput(
            f"{function} is a function, which runs in this environment and folder.",
            hint="Write a command line: {python} -m your.module",
        )
