"""What 500 unit tests cost beside the same statements by hand, in CPU seconds of whole processes. `pytest -s` shows it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

MODELS, CASES = 20, 25
TIMES = 4.0

BY_HAND = """
import duckdb, sys
connection = duckdb.connect()
wrong = 0
for case in range(int(sys.argv[1])):
    cursor = connection.cursor()
    users = " UNION ALL ".join(
        f"SELECT CAST({i} AS BIGINT) AS id, CAST('name {i}' AS VARCHAR) AS name" for i in range(3)
    )
    orders = " UNION ALL ".join(
        f"SELECT CAST({i} AS BIGINT) AS id, CAST({i % 3} AS BIGINT) AS user_id, CAST({i}.5 AS DOUBLE) AS amount"
        for i in range(5)
    )
    cursor.execute(f"CREATE TEMPORARY TABLE users AS {users}")
    cursor.execute(f"CREATE TEMPORARY TABLE orders AS {orders}")
    rows = cursor.execute(
        "select u.id, u.name, count(*) as n, sum(o.amount) as total from users u join orders o on o.user_id = u.id"
        " group by u.id, u.name"
    ).to_arrow_table().to_pylist()
    wrong += {row["id"]: row["total"] for row in rows} != {0: 4.0, 1: 6.0, 2: 2.5}
    cursor.close()
assert not wrong
"""


def write_project(root: Path) -> None:
    for path, text in {
        "project.yml": "name: bench\nversion: 1\n",
        "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: bench.duckdb}\n",
        "seeds/users.csv": "id,name\n1,a\n",
        "seeds/orders.csv": "id,user_id,amount\n1,1,1.5\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    (root / "models").mkdir()
    (root / "tests/unit").mkdir(parents=True)
    users = ", ".join(f"{{id: {i}, name: name {i}}}" for i in range(3))
    orders = ", ".join(f"{{id: {i}, user_id: {i % 3}, amount: {i}.5}}" for i in range(5))
    for model in range(MODELS):
        (root / f"models/m{model}.ff.sql").write_text(
            "select u.id, u.name, count(*) as n, sum(o.amount) as total from {{ ref('users') }} u\n"
            "join {{ ref('orders') }} o on o.user_id = u.id group by u.id, u.name\n",
            "utf-8",
        )
        cases = "".join(
            f"  - name: case {case}\n    inputs: {{users: {{rows: [{users}]}}, orders: {{rows: [{orders}]}}}}\n"
            "    expect: {rows: [{id: 0, total: 4.0}, {id: 1, total: 6.0}, {id: 2, total: 2.5}]}\n"
            for case in range(CASES)
        )
        (root / f"tests/unit/m{model}.yml").write_text(f"model: m{model}\ncases:\n{cases}", "utf-8")


def cpu(command: list[str], root: Path) -> float:
    """CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=root, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_five_hundred_cases(tmp_path: Path) -> None:
    write_project(tmp_path)
    ours = min(cpu([sys.executable, "-m", "flowforge", "utest", "-q"], tmp_path) for _ in range(3))
    hand = min(cpu([sys.executable, "-c", BY_HAND, str(MODELS * CASES)], tmp_path) for _ in range(3))
    print("\n\n| cases | flowforge utest, CPU s | by hand, CPU s | ratio |\n|---|---|---|---|")
    print(f"| {MODELS * CASES} | {ours:.2f} | {hand:.2f} | {ours / hand:.2f} |")
    assert ours <= TIMES * hand
