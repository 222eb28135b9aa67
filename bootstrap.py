#!/usr/bin/env python3
"""Answers one question: how does a machine that has only Python come to run mlops-dash?

    python bootstrap.py setup            make .venv from requirements.lock
    python bootstrap.py demo [--fast]    set up, then start everything with the year of flights
    python bootstrap.py demo --yours     the same with three models of a team's own MLflow, every line printed
    python bootstrap.py up               set up, then start everything without demo data
    python bootstrap.py test [-k NAME]   set up, then run every check (with arguments: only pytest with them)

`--system` lets a root user have missing system parts (Chromium, Pango, PostgreSQL) installed by apt; CI implies it.
Standard library only. A second call finds the stamp of the first and starts at once. What cannot be done is said in
one sentence on standard error, with exit code 2. The file must stay readable for Python 3.6, so that an old Python gets
that sentence and not a SyntaxError.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 12)


def refuse_python(version, runs):
    """Return the sentence for a Python that cannot run us, or "" when it can; `runs` tells whether a program does."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ""
    others = [name for name in ("python3.12", "python3.11") if runs(name)]
    hint = f"Try: {others[0]} bootstrap.py" if others else "Install one of them and call bootstrap.py with it"
    return f"mlops-dash needs Python 3.11 or 3.12, and this is {version[0]}.{version[1]}. {hint}."


def _runs(program, code=""):
    import subprocess

    try:  # a name on PATH is not enough: version managers put shims there for Pythons that are switched off
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.call([program, "-c", code], **quiet) == 0
    except OSError:
        return False


def _refuse_at_once():
    sentence = refuse_python(sys.version_info, _runs)
    if sentence:
        sys.stderr.write("bootstrap: " + sentence + "\n")
        sys.exit(2)


_refuse_at_once()

import glob
import hashlib
import json
import os
import shutil
import time

ROOT = os.path.dirname(os.path.realpath(__file__))
BIN = "Scripts" if os.name == "nt" else "bin"
SCRIPT = ".exe" if os.name == "nt" else ""
DISK_GIB = 4.0  # .venv is 1.6 GiB, the rest is downloads and their unpacking
COVERAGE_PERCENT = 90
APT_PACKAGES = {
    "Chromium": ["chromium", "fonts-dejavu-core", "fonts-liberation"],
    "Pango": ["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"],
    "PostgreSQL": ["postgresql"],
}
NEEDED_BY = {"Chromium": "browser and journey", "Pango": "PDF", "PostgreSQL": "Postgres"}


class Stop(Exception):
    """Set-up cannot go on; the message is the one sentence that the person reads."""


def main(arguments):
    """Run one command; return the exit code (2 = could not set up, said in one sentence)."""
    command, rest = (arguments[0] if arguments else ""), list(arguments[1:])
    if command not in ("setup", "demo", "up", "test"):
        asked = command in ("-h", "--help", "help")
        (sys.stdout if asked else sys.stderr).write(__doc__)
        return 0 if asked else 2
    system = "--system" in rest or in_ci()
    rest = [word for word in rest if word != "--system"]
    keep_bytecode(os.environ)
    try:
        set_up()
        if command == "test" or (command == "setup" and system):
            provide_system_parts(system)
        if command == "setup":
            return 0
        if command == "test":
            return run_checks(rest)
        if command == "demo":
            return start(["demo", *rest] if "--yours" in rest else ["up", "--demo", *rest])
        return start(["up", *rest])
    except Stop as stop:
        sys.stderr.write(f"bootstrap: {stop}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nbootstrap: stopped; call it again to go on.\n")
        return 130


def in_ci():
    """Tell whether this is a continuous-integration machine."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def keep_bytecode(environment):
    """Let our processes keep compiled code below .venv where the user forbids it beside the sources.

    Without any, each of five processes compiles MLflow again: 5 s instead of 2 s for its import alone.
    """
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment.setdefault("PYTHONPYCACHEPREFIX", os.path.join(ROOT, ".venv", "bytecode"))


# --- set-up -----------------------------------------------------------------------------------------------------------


def set_up():
    """Make .venv hold exactly what the lock says and this package; return at once when a stamp says it does."""
    inputs = digest_of_inputs()
    if stamp().get("inputs") == inputs and os.path.exists(in_venv("python")):
        return
    began = time.monotonic()
    with locked():
        known = stamp()
        if known.get("inputs") == inputs and os.path.exists(in_venv("python")):
            return  # another call finished while this one waited
        check_disk()
        make_venv(fresh=known.get("root", ROOT) != ROOT)
        install_packages()
        write_stamp(inputs)
    say(f"set up in {seconds_since(began)}; the next call starts at once")


def digest_of_inputs():
    """Return the sha256 of all that decides what .venv must hold: the lock, the project file and the folder."""
    digest = hashlib.sha256(ROOT.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        try:
            with open(os.path.join(ROOT, name), "rb") as file:
                digest.update(file.read())
        except OSError as error:
            raise Stop(f"{name} cannot be read ({error.strerror}); take a complete checkout.") from None
    return digest.hexdigest()


def stamp():
    """Return what the last finished set-up wrote, {} when there was none."""
    try:
        with open(os.path.join(ROOT, ".venv", "set-up.json")) as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def write_stamp(inputs):
    """Say that set-up finished; written in one step so that a half-made .venv never looks finished."""
    path = os.path.join(ROOT, ".venv", "set-up.json")
    with open(path + ".part", "w") as file:
        json.dump({"inputs": inputs, "root": ROOT, "python": sys.version.split()[0]}, file)
    os.replace(path + ".part", path)


class locked:
    """Keeps two set-ups of the same folder apart; the second waits and finds the work done."""

    def __enter__(self):
        self.file = open(os.path.join(ROOT, "requirements.lock"), "rb")
        try:
            import fcntl
        except ImportError:  # not a POSIX system: go on without the lock
            return self
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up of this folder is running; waiting for it")
            fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *error):
        self.file.close()


def check_disk():
    """Raise Stop when the disk cannot hold what set-up brings."""
    need = DISK_GIB if not os.path.isdir(os.path.join(ROOT, ".venv")) else 1.0
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < need:
        raise Stop(f"no disk: {free:.1f} GiB are free in {ROOT}, set-up needs about {need:.0f} GiB; make room there.")
    if not os.access(ROOT, os.W_OK):
        raise Stop(f"{ROOT} cannot be written to, and set-up makes .venv there; use a folder of your own.")


def make_venv(fresh):
    """Make .venv unless a usable one is there; `fresh` throws an existing one away."""
    import importlib.util

    folder = os.path.join(ROOT, ".venv")
    if os.path.exists(in_venv("python")) and not fresh:
        code = f"import sys, pip; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
        if _runs(in_venv("python"), code):
            return
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise Stop(f"this Python has no venv or ensurepip; install them (Debian, Ubuntu: apt install {package}).")
    shutil.rmtree(folder, ignore_errors=True)
    # The base interpreter: this file may be run by the very .venv that is replaced.
    base = getattr(sys, "_base_executable", None) or sys.executable
    say_ran(f"making .venv with Python {sys.version.split()[0]}", [base, "-m", "venv", folder], log=None)


def install_packages():
    """Install the lock by uv, or by pip when uv cannot, and then this package without fetching anything."""
    log = os.path.join(ROOT, ".venv", "set-up.log")
    open(log, "w").close()
    lock = os.path.join(ROOT, "requirements.lock")
    with open(lock) as file:
        count = sum(1 for line in file if "==" in line and not line.startswith((" ", "#")))
    title = f"installing {count} packages from requirements.lock"
    pip = [in_venv("python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    here = ["--no-build-isolation", "--no-deps", "--editable", ROOT]
    uv = find_uv(pip, lock, log)
    if uv:
        options, environment = uv_settings(pip_settings(pip), os.environ)
        uv_install = [uv, "pip", "install", "--python", in_venv("python"), "--quiet", *options]
        try:
            say_ran(title + " with uv", [*uv_install, "--require-hashes", "-r", lock], log, environment)
            say_ran("installing mlops-dash itself", uv_install + here, log, environment)
            return
        except Stop as stop:
            say(f"uv could not ({last_words(log) or stop}); trying pip")
    say_ran(title + " with pip", [*pip, "install", "--require-hashes", "-r", lock], log)
    say_ran("installing mlops-dash itself", [*pip, "install", *here], log)


def find_uv(pip, lock, log):
    """Return uv's path: the one on PATH, the one in .venv, or the locked one just fetched; "" when none can be had."""
    inside = in_venv("uv")
    found = shutil.which("uv") or (inside if os.path.exists(inside) else "")
    if found:
        return found
    only_uv = os.path.join(ROOT, ".venv", "uv.txt")
    with open(lock) as source, open(only_uv, "w") as target:
        target.write(locked_lines("uv", source.read()))
    try:
        say_ran("fetching uv", [*pip, "install", "--retries", "1", "--require-hashes", "-r", only_uv], log)
    except Stop:
        return ""
    return inside if os.path.exists(inside) else ""


def locked_lines(name, lock):
    """Return the lines of one package in a lock: its pin and its hashes."""
    lines, inside = [], False
    for line in lock.splitlines():
        if not line.startswith((" ", "#")):
            inside = line.startswith(name + "==")
        if inside and not line.lstrip().startswith("#"):
            lines.append(line)
    return "\n".join(lines) + "\n"


# --- pip's settings for uv --------------------------------------------------------------------------------------------


def pip_settings(pip):
    """Return pip's settings by plain name (`index-url`), the environment over `install` over `global`."""
    import subprocess

    done = subprocess.run([*pip, "config", "list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return read_pip_settings(done.stdout.decode("utf-8", "replace"))


def read_pip_settings(listing):
    """Parse the answer of `pip config list`: lines like `global.index-url='https://...'`."""
    import ast

    rank = {"global": 0, "install": 1, ":env:": 2}
    chosen = {}
    for line in listing.splitlines():
        key, equals, text = line.partition("=")
        section, dot, name = key.rpartition(".")
        if not (equals and dot and section in rank):
            continue
        try:
            value = str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            continue
        name = {"default-timeout": "timeout"}.get(name, name)
        if rank[section] >= chosen.get(name, (0, ""))[0]:
            chosen[name] = (rank[section], value)
    return {name: value for name, (_, value) in chosen.items()}


def uv_settings(pip, environment):
    """Say pip's settings in uv's words: (options, environment variables); what the caller told uv itself wins.

    Indices go by environment, since addresses may hold passwords and options are seen in the process list. Local
    folders that do not exist are left out: pip passes over them, uv gives up.
    """
    options, variables = [], {}

    def tell(name, value, unless):
        if value and not any(environment.get(other) for other in unless):
            variables[name] = value

    tell("UV_DEFAULT_INDEX", pip.get("index-url", ""), ("UV_DEFAULT_INDEX", "UV_INDEX_URL"))
    extra = [url for url in pip.get("extra-index-url", "").split() if is_there(url)]
    tell("UV_INDEX", " ".join(extra), ("UV_INDEX", "UV_EXTRA_INDEX_URL"))
    if extra:  # pip asks every index for the pinned file; the hashes say which one is right
        tell("UV_INDEX_STRATEGY", "unsafe-best-match", ("UV_INDEX_STRATEGY",))
    proxy = pip.get("proxy", "")
    tell("HTTPS_PROXY", proxy, ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"))
    tell("HTTP_PROXY", proxy, ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"))
    authority = pip.get("cert", "")
    tell("SSL_CERT_DIR" if os.path.isdir(authority) else "SSL_CERT_FILE", authority, ("SSL_CERT_FILE",))
    tell("SSL_CLIENT_CERT", pip.get("client-cert", ""), ("SSL_CLIENT_CERT",))
    tell("UV_HTTP_TIMEOUT", pip.get("timeout", "").partition(".")[0], ("UV_HTTP_TIMEOUT",))
    for place in pip.get("find-links", "").split():
        options += ["--find-links", place] if is_there(place) else []
    for host in pip.get("trusted-host", "").split():
        options += ["--allow-insecure-host", host]
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    return options, variables


def is_there(place):
    """Tell whether a package place is worth asking: any address, or a local folder that exists."""
    from urllib.parse import unquote, urlparse

    if place.startswith("file:"):
        return os.path.exists(unquote(urlparse(place).path))
    return "://" in place or os.path.exists(os.path.expanduser(place))


# --- system parts -----------------------------------------------------------------------------------------------------


def missing_parts():
    """Return the system parts that tests need and this machine lacks."""
    import ctypes.util

    chromium = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    postgres = shutil.which("initdb") or glob.glob("/usr/lib/postgresql/*/bin/initdb")
    pango = all(ctypes.util.find_library(name) for name in ("pango-1.0", "pangoft2-1.0"))
    return [name for name, found in (("Chromium", chromium), ("Pango", pango), ("PostgreSQL", postgres)) if not found]


def provide_system_parts(system):
    """Install missing parts where that is allowed (root, apt, and CI or --system); name those that stay missing."""
    missing = missing_parts()
    if not missing:
        return
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if system and root and shutil.which("apt-get"):
        packages = [package for part in missing for package in APT_PACKAGES[part]]
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        log = os.path.join(ROOT, ".venv", "system-parts.log")
        install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        try:
            say_ran("asking apt for its lists", ["apt-get", "update"], log, quiet)
            say_ran("installing " + ", ".join(missing) + " with apt", install, log, quiet)
        except Stop as stop:
            say(f"apt could not: {stop}")
        missing = missing_parts()
    for part in missing:
        then = "fail" if os.environ.get("MLOPS_DASH_REQUIRE_ALL") or in_ci() else "are skipped"
        by_hand = "apt install " + " ".join(APT_PACKAGES[part])
        say(f"{part} is missing: the {NEEDED_BY[part]} tests {then} (Debian: {by_hand})")


# --- commands ---------------------------------------------------------------------------------------------------------


def start(arguments):
    """Hand this process over to `mlops-dash`, so that Ctrl-C and exit codes are its own."""
    import subprocess

    program = in_venv("mlops-dash")
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(program, [program, *arguments])
    return subprocess.call([program, *arguments])


def run_checks(arguments):
    """Run every check and say how each ended; with arguments only pytest, with these arguments and no coverage gate."""
    import subprocess

    environment = dict(os.environ)
    if in_ci():
        environment["MLOPS_DASH_REQUIRE_ALL"] = "1"
    began, results = time.monotonic(), []
    for title, argv, fine in checks(arguments):
        print(f"\n===== {title} =====", flush=True)
        at = time.monotonic()
        code = subprocess.call([in_venv(argv[0]), *argv[1:]], cwd=ROOT, env=environment)
        if code < 0:  # pytest cannot say this itself
            print(f"\nbootstrap: {argv[0]} was killed by signal {-code}.", flush=True)
        results.append((title, code in fine, seconds_since(at)))
    print("\n===== summary =====")
    for title, passed, took in results:
        print(f"{'passed' if passed else 'FAILED'}  {took:>8}  {title}")
    passed = all(ok for _, ok, _ in results)
    print(f"{'All checks passed' if passed else 'Some checks FAILED'} in {seconds_since(began)}.")
    return 0 if passed else 1


def checks(arguments):
    """Return (title, command, accepted exit codes) in running order."""
    if arguments:
        return [("pytest " + " ".join(arguments), ["pytest", *arguments], (0,))]
    cover = ["--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0"]
    return [
        ("ruff check", ["ruff", "check", "."], (0,)),
        ("ruff format --check", ["ruff", "format", "--check", "."], (0,)),
        ("import contracts", ["lint-imports"], (0,)),
        ("mypy --strict", ["mypy", "--strict"], (0,)),
        ("no coverage from before", ["coverage", "erase"], (0,)),
        (
            "pytest: everything without a browser, on two processes",
            ["pytest", "-n", "2", "--dist", "worksteal", "-m", "not browser and not journey", *cover],
            (0,),
        ),
        # two browsers at once on two cores are slower than one after the other, and wait too long for one another;
        # tracing costs half of the time again, so what is covered is told by the tests without a browser alone
        ("pytest: browser and journeys, one by one", ["pytest", "-m", "browser or journey"], (0,)),
        ("coverage of the tests without a browser", ["coverage", "report", f"--fail-under={COVERAGE_PERCENT}"], (0,)),
    ]


# --- small words ------------------------------------------------------------------------------------------------------


def in_venv(program):
    """Return the path of a program of .venv."""
    return os.path.join(ROOT, ".venv", BIN, program + SCRIPT)


def say(words):
    """Print one progress line."""
    print("bootstrap: " + words, flush=True)


def seconds_since(began):
    """Return the time since `began` (monotonic seconds) as words."""
    took = time.monotonic() - began
    return f"{took:.1f} s" if took < 100 else f"{took / 60:.1f} min"


def say_ran(title, argv, log, environment=None):
    """Run a program with its output in `log`, saying what runs and for how long; raise Stop when it fails."""
    import subprocess
    import tempfile

    began, heard = time.monotonic(), time.monotonic()
    child = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    child.update(environment or {})
    with open(log, "ab") if log else tempfile.TemporaryFile() as output:
        start_of_output = output.tell()
        say(title + " ...")
        try:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=child)
        except OSError as error:
            raise Stop(f"{title} failed: {argv[0]}: {error.strerror}.") from None
        try:
            while process.poll() is None:
                time.sleep(0.05)
                if time.monotonic() - heard > 15:
                    heard = time.monotonic()
                    say(f"{title} ... {seconds_since(began)} so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        text = tail_of(log, start_of_output) if log else tail_of_file(output)
    if process.returncode:
        raise Stop(explain(title, text, log))
    say(f"{title}: {seconds_since(began)}")


def tail_of(log, begin):
    """Return what was written to `log` from position `begin` on."""
    with open(log, "rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", "replace")


def tail_of_file(file):
    """Return all of an open temporary file."""
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def explain(title, text, log):
    """Turn the output of a failed program into one sentence with the next step."""
    low = text.lower()
    if "no space left on device" in low or "disk quota exceeded" in low:
        return f"no disk: {title} ran out of room; make about {DISK_GIB:.0f} GiB free and call bootstrap.py again."
    unreachable = (
        "name resolution", "name or service not known", "network is unreachable", "connection refused", "dns error",
        "failed to establish a new connection", "connection timed out", "read timed out", "proxyerror", "tunnel error",
        "error sending request", "could not connect", "client error (connect)", "temporary failure resolving",
        "(from versions: none)",  # all that pip says when it may not retry
    )  # fmt: skip
    if any(words in low for words in unreachable):
        return f"no network: {title} got nothing from the package index; check the connection, proxy or pip's settings."
    where = f" (all of it: {log})" if log else ""
    return f"{title} failed: {last_line(text) or 'it said nothing'}{where}."


def last_words(log):
    """Return the last line of a log that says something."""
    return last_line(tail_of(log, 0))


def last_line(text):
    """Return the last line that names an error, else the last line at all, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:", "fatal"))]
    return (errors or lines or [""])[-1][:200].rstrip(".")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
