"""The names that make a Python model depend on what FlowForge does not see: the clock, chance, files, the network.

Data only. Names are full dotted ones, as imports spell them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["clock", "random", "environment", "files", "network", "process"]

WORDS: Mapping[Kind, str] = {
    "clock": "reads the clock",
    "random": "draws random values",
    "environment": "reads the environment",
    "files": "reads files",
    "network": "uses the network",
    "process": "starts processes",
}
"""What a reason says of its kind."""


def _names(kind: Kind, *groups: str) -> dict[str, Kind]:
    """``"a.b: c d"`` stands for ``a.b.c`` and ``a.b.d``."""
    found: dict[str, Kind] = {}
    for group in groups:
        module, _, members = group.partition(":")
        found |= {f"{module}.{member}": kind for member in members.split()}
    return found


def _each(kind: Kind, *texts: str) -> dict[str, Kind]:
    return {module: kind for text in texts for module in text.split()}


EXACT: Mapping[str, Kind] = {
    **_names(
        "clock",
        "datetime.datetime: now today utcnow",
        "datetime.date: today",
        "time: time time_ns localtime gmtime ctime asctime strftime clock_gettime clock_gettime_ns",
        "pandas.Timestamp: now today utcnow",
        "pendulum: now today tomorrow yesterday",
        "arrow: now utcnow",
    ),
    **_names(
        "random",
        "uuid: uuid1 uuid4 uuid6 uuid7 uuid8 getnode",
        "os: urandom getrandom",
    ),
    **_names(
        "environment",
        "os: environ environb getenv getenvb getlogin getpid getppid getuid getcwd getcwdb uname cpu_count getloadavg",
        "sys: argv executable",
    ),
    **_names(
        "files",
        "io: open open_code FileIO",
        "codecs: open",
        "gzip: open GzipFile",
        "bz2: open BZ2File",
        "lzma: open LZMAFile",
        "zipfile: ZipFile is_zipfile Path",
        "tarfile: open TarFile is_tarfile",
        "os: open listdir scandir walk fwalk stat lstat access readlink",
        "os.path: exists lexists isfile isdir getsize getmtime getctime getatime",
        "glob: glob iglob",
        "shelve: open",
        "mmap: mmap",
        "sqlite3: connect Connection",
        "pathlib.Path: cwd home",
        "pandas: ExcelFile HDFStore",
        "pyarrow: memory_map OSFile input_stream",
        "pyarrow.parquet: ParquetFile ParquetDataset",
        "pyarrow.dataset: dataset parquet_dataset",
        "pyarrow.orc: ORCFile",
        "pyarrow.csv: open_csv",
        "pyarrow.json: open_json",
        "pyarrow.ipc: open_file open_stream",
        "numpy: load loadtxt genfromtxt fromfile memmap fromregex",
        "joblib: load",
        "torch: load",
        "openpyxl: load_workbook",
        "xlrd: open_workbook",
        "h5py: File",
        "netCDF4: Dataset",
        "PIL.Image: open",
        "pkgutil: get_data",
        "ctypes: CDLL PyDLL cdll pydll",
    ),
    **_names("network", "sqlalchemy: create_engine create_async_engine engine_from_config"),
    **_names(
        "process",
        "os: system popen posix_spawn posix_spawnp fork forkpty",
        "asyncio: create_subprocess_exec create_subprocess_shell",
    ),
}
"""Functions, classes and values by their full names."""

MODULES: Mapping[str, Kind] = {
    **_each("random", "secrets faker mimesis"),
    **_each("environment", "platform getpass dotenv environs decouple"),
    **_each(
        "files",
        "importlib.resources importlib_resources linecache fileinput dbm pyarrow.fs fsspec s3fs gcsfs adlfs smart_open",
        "pyreadstat rasterio",
    ),
    **_each(
        "network",
        "requests httpx urllib.request urllib3 http.client aiohttp socket ftplib smtplib imaplib poplib telnetlib",
        "nntplib xmlrpc.client websocket websockets paramiko pysftp grpc boto3 botocore aioboto3 google.cloud",
        "googleapiclient gspread azure pandas_gbq connectorx pymysql MySQLdb mysql oracledb cx_Oracle pyodbc pymssql",
        "prestodb clickhouse_connect clickhouse_driver pymongo redis elasticsearch opensearchpy cassandra kafka",
        "confluent_kafka openai anthropic yfinance wikipedia tweepy",
    ),
    **_each("process", "subprocess pexpect plumbum sh pty"),
}
"""Modules every part of which counts. The drivers of our own engines stand with the engines' names."""

_TABLES = ("pandas", "polars", "geopandas", "dask.dataframe", "modin.pandas", "cudf", "xarray", "awswrangler")
_ARROW = ("pyarrow.parquet", "pyarrow.csv", "pyarrow.json", "pyarrow.feather", "pyarrow.orc")
PREFIXES: Mapping[str, Kind] = {
    **{f"{module}.read_sql": "network" for module in _TABLES},
    **{f"{module}.read_database": "network" for module in _TABLES},
    **{f"{module}.read_gbq": "network" for module in _TABLES},
    **{f"{module}.{verb}_": "files" for module in _TABLES for verb in ("read", "scan", "open", "load")},
    **{f"{module}.read": "files" for module in _ARROW},
    **dict.fromkeys(("os.exec", "os.spawn"), "process"),
    "adbc_driver_": "network",
}
"""Beginnings of full names; the longest one counts."""

CHANCE = ("random", "numpy.random")
"""Modules of random values, all parts of which count but for the following ones."""

SEEDED = frozenset(
    {"Random", "default_rng", "RandomState", "SeedSequence", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
)
"""Generators: one that is made with a seed gives the same values every time."""

NO_CHANCE = frozenset({"seed", "setstate", "getstate", "set_state", "get_state", "Generator", "BitGenerator"})

SQL_FUNCTIONS: Mapping[str, Kind] = {
    **_each("clock", "current_date current_timestamp current_time now localtimestamp sysdate"),
    **_each("random", "rand randn random uniform uuid uuid_string shuffle monotonically_increasing_id"),
}
"""Functions of an engine's DataFrames, which all keep them in a module called ``functions``."""

MOMENTS = frozenset({"pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64"})
"""Called with the text ``now`` or ``today`` they read the clock."""

METHODS: Mapping[str, Kind] = dict.fromkeys(
    ("read_text", "read_bytes", "iterdir", "rglob", "glob", "open", "samefile"), "files"
)
"""Methods that count on any object, when they are called."""

PATH_METHODS = frozenset({"exists", "is_file", "is_dir", "stat", "lstat", "walk"})
"""Methods that count in files that import pathlib."""

BUILTINS: Mapping[str, Kind] = {"open": "files", "input": "environment", "hash": "random"}
"""``hash`` of a text is another one in every process."""
