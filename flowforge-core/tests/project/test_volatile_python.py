"""What in a Python model's files makes its result depend on more than its inputs."""

from __future__ import annotations

import pytest

from flowforge.project.volatile_python import volatile_reasons


def kinds(text: str, **others: str) -> list[str]:
    sources = {"models/m.ff.py": text} | {f"models/{name}.py": other for name, other in others.items()}
    return sorted({reason.kind for reason in volatile_reasons(sources)})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import datetime\nx = datetime.datetime.now()", "clock"),
        ("import datetime as dt\nx = dt.date.today()", "clock"),
        ("from datetime import datetime\ndef f(): return datetime.utcnow()", "clock"),
        ("from datetime import datetime, UTC\nx = datetime.now(tz=UTC)", "clock"),
        ("from datetime import datetime\nclass A:\n    made = field(default_factory=datetime.now)", "clock"),
        ("import time\nx = time.time()", "clock"),
        ("from time import time as t\nx = t()", "clock"),
        ("from time import *\nx = time_ns()", "clock"),
        ("def f():\n    import time\n    return time.time()", "clock"),
        ("import pandas as pd\nx = pd.Timestamp.now()", "clock"),
        ("import pandas as pd\nx = pd.Timestamp('now')", "clock"),
        ("import numpy as np\nx = np.datetime64('today')", "clock"),
        ("import random\nx = random.random()", "random"),
        ("from random import choice\nx = choice([1])", "random"),
        ("import random\nx = random.Random()", "random"),
        ("import numpy as np\nx = np.random.rand(3)", "random"),
        ("import numpy as np\nnp.random.seed(1)\nx = np.random.normal()", "random"),
        ("from numpy import random\nx = random.default_rng()", "random"),
        ("import numpy.random as r\nx = r.default_rng(None)", "random"),
        ("import secrets\nx = secrets.token_hex()", "random"),
        ("from uuid import uuid4\nx = [uuid4() for _ in range(3)]", "random"),
        ("import uuid\nx = uuid.uuid1()", "random"),
        ("import os\nx = os.urandom(3)", "random"),
        ("def f(df): return df.sample(10)", "random"),
        ("def f(df): return df.sample(frac=0.1)", "random"),
        ("def f(df): return df['k'].map(hash)", "random"),
        ("import os\nx = os.environ['A']", "environment"),
        ("import os\nx = os.environ.get('A')", "environment"),
        ("from os import environ as e\nx = e['A']", "environment"),
        ("from os import getenv\nx = getenv('A')", "environment"),
        ("import platform\nx = platform.node()", "environment"),
        ("with open('x') as f: pass", "files"),
        ("read = open", "files"),
        ("from pathlib import Path\nx = Path('a').read_text()", "files"),
        ("from pathlib import Path\nx = Path('a').exists()", "files"),
        ("from pathlib import Path\nx = list(map(Path.read_text, y)) or Path.read_text(z)", "files"),
        ("def f(p): return p.read_bytes()", "files"),
        ("from .conf import HOME\nx = HOME.iterdir()", "files"),
        ("import pandas as pd\nx = pd.read_csv('a.csv')", "files"),
        ("from pandas import read_parquet\nx = read_parquet('a')", "files"),
        ("import polars as pl\nx = pl.scan_parquet('a')", "files"),
        ("import pyarrow.parquet as pq\nx = pq.read_table('a')", "files"),
        ("from pyarrow import csv\nx = csv.read_csv('a')", "files"),
        ("import numpy as np\nx = np.load('a')", "files"),
        ("import duckdb\nx = duckdb.connect('a.db')", "files"),
        ("import sqlite3\nx = sqlite3.connect('a.db')", "files"),
        ("import glob\nx = glob.glob('*')", "files"),
        ("import psycopg\nx = psycopg.connect('')", "network"),
        ("import snowflake.connector\nx = snowflake.connector.connect()", "network"),
        ("import adbc_driver_postgresql.dbapi as a\nx = a.connect('')", "network"),
        ("from pyspark.sql import functions as F\nx = F.current_date()", "clock"),
        ("from pyspark.sql.functions import rand\nx = rand(1)", "random"),
        ("import os\nx = os.listdir()", "files"),
        ("import os\nx = os.path.exists('a')", "files"),
        ("import pandas as pd\nx = pd.read_sql('select 1', c)", "network"),
        ("import requests\nx = requests.get('http://x')", "network"),
        ("from requests import Session\nx = Session()", "network"),
        ("import urllib.request\nx = urllib.request.urlopen('x')", "network"),
        ("from urllib.request import urlopen\nx = urlopen('x')", "network"),
        ("import socket\nx = socket.gethostname()", "network"),
        ("from google.cloud import bigquery\nx = bigquery.Client()", "network"),
        ("import boto3\nx = boto3.client('s3')", "network"),
        ("import subprocess\nx = subprocess.run(['a'])", "process"),
        ("import os\nx = os.system('a')", "process"),
        ("import os\nx = os.execv('a', [])", "process"),
        ("try:\n    import simplejson as time\nexcept ImportError:\n    import time\nx = time.time()", "clock"),
    ],
)
def test_what_counts(text: str, kind: str) -> None:
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "def f(df): return df.time.max()",
        "def f(df): return df.open - df.close",
        "def f(df): return df['open'].now",
        "def f(df): return df.random + df.uuid4",
        "def f(open): return open(1)",
        "def f(df):\n    open = df['open']\n    return open * 2",
        "def open(x): return x\ny = open(1)",
        "from .files import open\ny = open(1)",
        "import time\ndef f(time): return time.time()",
        "import time\nx = [time.time for time in y]",
        "x = (lambda random: random.random())(1)",
        "import datetime as dt\nx = dt.datetime(2024, 1, 1) + dt.timedelta(days=1)",
        "from datetime import datetime\nx = datetime.strptime('2024', '%Y')",
        "import pandas as pd\nx = pd.Timestamp('2024-01-01')",
        "import pandas as pd\nx = pd.to_datetime(df['now'])",
        "import random\nx = random.Random(42).random()",
        "import numpy as np\nx = np.random.default_rng(seed=42).normal()",
        "import numpy as np\ndef f(rng: np.random.Generator) -> np.random.Generator: return rng",
        "def f(df): return df.sample(10, random_state=1)",
        "import uuid\nx = uuid.uuid5(uuid.NAMESPACE_DNS, 'a')",
        "import os\nx = os.path.join('a', 'b')",
        "import os\nx = os.sep",
        "from urllib.parse import urlsplit\nx = urlsplit('a')",
        "from pathlib import Path\nx = Path('a') / 'b'",
        "import requests",
        "from pyspark.sql import functions as F\nx = F.col('now')",
        "import time\ntime.sleep(0)",
        "class A:\n    def __hash__(self): return hash(self.x)",
        "class A:\n    open: int\n    now: float = 1.0",
        "'''open(x), requests.get(y)'''  # time.time()",
        "x = 'open(1)'",
        "def broken(:\n    open('x')",
        "import webbrowser\nwebbrowser.open('x')",
        "import re\nx = re.compile('a').match('b')",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert kinds(text) == []


def test_names_are_followed_from_file_to_file() -> None:
    assert kinds("from .clock import now\nx = now()", clock="from datetime import datetime\nnow = datetime.now") == [
        "clock"
    ]
    clock = "from datetime import datetime"
    assert kinds("from .clock import datetime as d\nx = d.now()", clock=clock) == ["clock"]
    assert kinds("from . import clock\nx = clock.datetime.now()", clock=clock) == ["clock"]
    assert kinds("import models.clock as c\nx = c.datetime.now()", clock=clock) == ["clock"]
    assert kinds("from .clock import datetime as d\nx = d(2024, 1, 1)", clock=clock) == []


def test_a_reason_says_what_and_where_and_only_once() -> None:
    text = "import time\n\n\ndef f(df):\n    a = time.time()\n    return time.time() - a\n"
    (reason,) = volatile_reasons({"models/m.ff.py": text})
    assert reason.text == "reads the clock (time.time)"
    assert str(reason.location) == "models/m.ff.py:5:9"
    assert reason.location.length == len("time.time")


def test_files_that_are_no_python_text_are_passed_over() -> None:
    assert volatile_reasons({"models/fast.so": "\x7fELF", "models/x.py": "\x00", "models/y.py": "(" * 5000}) == ()
