"""The one place that makes sessions of Spark: in this process, behind Spark Connect, or on Databricks.

Everything else works with what the three have in common.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from flowforge.errors import EngineError, ErrorKind
from flowforge_spark.errors import Attempt, is_ours, translate
from flowforge_spark.settings import SparkSettings

_PORT = 15002
_JAVA = 17
_PINNED = re.compile(r";\s*session_id=", re.IGNORECASE)
_NOTHING = Attempt()
_QUIET = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


class Home:
    """Where sessions come from. Safe from any thread.

    Parameters
    ----------
    open:
        Makes a session of Spark that nobody else uses.
    release:
        Takes one back.
    close:
        Lets everything go.
    """

    def __init__(
        self,
        settings: SparkSettings,
        open: Callable[[], Any],
        release: Callable[[Any], None],
        close: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._open = open
        self.release = release
        self.close = close

    def open(self) -> Any:
        """A session that is set up as FlowForge needs it."""
        spark = self._open()
        for key, value in session_conf(self._settings).items():
            spark.conf.set(key, value)
        return spark


def session_conf(settings: SparkSettings) -> Mapping[str, str]:
    """What each session is told; the profile's own settings win, but for the time zone."""
    conf = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.sources.default": settings.state_format or settings.default_format,
    }
    own = {key: _text(value) for key, value in settings.extra_conf.items()}
    # In this process they were given to the first session, which hands them on.
    return {**conf, **{key: value for key, value in own.items() if settings.is_connect or key in conf}}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def connect(settings: SparkSettings) -> Home:
    """Reach Spark, or start it.

    Raises
    ------
    EngineError
        When a driver or Java is missing (``FF2130``), or Spark does not answer.
    """
    _silence()
    try:
        if settings.host is not None:
            return _databricks(settings)
        return _remote(settings) if settings.is_connect else _classic(settings)
    except EngineError:
        raise
    except Exception as exc:
        if not is_ours(exc):
            raise
        error = translate(exc, _NOTHING)
        raise EngineError(
            f"no session of Spark at {settings.place}: {error.message}",
            kind=ErrorKind.CONNECTION if error.kind is ErrorKind.OTHER else error.kind,
            help=error.help or "check master and extra_conf in the profile",
        ) from exc


def _silence() -> None:
    """Spark's Python client logs every error with its whole stack; we raise it, and that is enough."""
    import logging

    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _needs(module: str, extra: str, what: str) -> None:
    try:
        found = importlib.util.find_spec(module)
    except ImportError:
        found = None
    if found is None:
        raise EngineError(
            f"{what} needs a driver that is not installed here",
            code="FF2130",
            kind=ErrorKind.UNSUPPORTED,
            help=f"pip install 'flowforge-spark[{extra}]'",
        )


# -- Spark Connect --------------------------------------------------------------------------------------------------


def _remote(settings: SparkSettings) -> Home:
    _needs("pyspark", "connect", "Spark Connect")
    _needs("grpc", "connect", "Spark Connect")
    address = settings.master or ""
    reach(address, settings)
    from pyspark.sql.connect.session import SparkSession

    url = address.partition(";")[0].rstrip("/") + "/;" + address.partition(";")[2]
    if settings.token is not None:
        url += f";token={settings.token}"
    pinned = _PINNED.search(address) is not None

    def open_() -> Any:
        spark = SparkSession.builder.remote(url.rstrip(";")).create()
        _be_impatient(spark)
        spark.release_session_on_close = not pinned
        return spark

    return Home(settings, open_, lambda spark: spark.stop(), lambda: None)


def reach(address: str, settings: SparkSettings) -> None:
    """Spark's client would try for ten minutes."""
    parts = urlsplit(address.partition(";")[0])
    host, port = parts.hostname or "", parts.port or _PORT
    try:
        socket.create_connection((host, port), timeout=settings.connect_timeout).close()
        reason = None if _is_secure(address, settings) or _greets(host, port, settings) else "it takes connections only"
    except OSError as exc:
        reason = str(exc.strerror or exc)
    if reason is not None:
        raise EngineError(
            f"no Spark Connect server answers at {host}:{port} ({reason})",
            kind=ErrorKind.CONNECTION,
            retryable=False,
            help="start the server, or correct master in the profile",
        )


def _is_secure(address: str, settings: SparkSettings) -> bool:
    return settings.token is not None or "use_ssl=true" in address.lower()


def _greets(host: str, port: int, settings: SparkSettings) -> bool:
    """Whether what listens there speaks gRPC: whoever is silent would be waited for three times as long."""
    import grpc

    with grpc.insecure_channel(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=settings.connect_timeout)
        except grpc.FutureTimeoutError:
            return False
    return True


def _be_impatient(spark: Any) -> None:
    from pyspark.sql.connect.client.retries import DefaultPolicy

    spark.client.set_retry_policies(
        [DefaultPolicy(max_retries=4, initial_backoff=50, max_backoff=1000, backoff_multiplier=4.0)]
    )


# -- Databricks -----------------------------------------------------------------------------------------------------


def _databricks(settings: SparkSettings) -> Home:
    _needs("databricks.connect", "databricks", "Databricks")
    databricks = importlib.import_module("databricks.connect")

    def open_() -> Any:
        builder = databricks.DatabricksSession.builder.host(settings.host)
        if settings.token is not None:
            builder = builder.token(settings.token)
        builder = builder.clusterId(settings.cluster_id) if settings.cluster_id else builder.serverless()
        return builder.create()

    return Home(settings, open_, lambda spark: spark.stop(), lambda: None)


# -- in this process ------------------------------------------------------------------------------------------------


def _classic(settings: SparkSettings) -> Home:
    _needs("py4j", "local", f"master {settings.place}")
    from pyspark.sql import SparkSession

    need_java()
    standing = SparkSession._instantiatedSession
    lock = None
    if standing is None and settings.is_local:
        lock = alone(settings)
    root = standing if standing is not None else _start(SparkSession.builder, settings)

    def close() -> None:
        if standing is None:
            root.stop()
            if lock is not None:
                lock.close()

    return Home(settings, root.newSession, lambda spark: None, close)


def alone(settings: SparkSettings) -> IO[str] | None:
    """The right to a warehouse on this machine: its catalogue belongs to one process at a time.

    Raises
    ------
    EngineError
        Of kind ``LOCKED``, when another process has it.
    """
    try:
        import fcntl
    except ImportError:  # a system without such locks: Derby keeps others out, in words of its own
        return None
    if "://" in settings.warehouse_dir:
        return None
    place = Path(settings.warehouse_dir).absolute()
    place.mkdir(parents=True, exist_ok=True)
    file = (place / "_ff_lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise EngineError(
            f"the warehouse {settings.warehouse_dir} is in use by {holder}",
            kind=ErrorKind.LOCKED,
            help="wait for it to end; a server of Spark Connect serves several runs at once",
        ) from exc
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()
    return file


def _start(builder: Any, settings: SparkSettings) -> Any:
    warehouse = settings.warehouse_dir
    conf = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "FATAL",
        "spark.sql.warehouse.dir": warehouse if "://" in warehouse else Path(warehouse).absolute().as_uri(),
    }
    hive = settings.use_hive_metastore if settings.use_hive_metastore is not None else settings.is_local
    if settings.is_local:
        conf["spark.driver.host"] = conf["spark.driver.bindAddress"] = "127.0.0.1"
        conf["spark.sql.shuffle.partitions"] = "8"
        if hive and "://" not in warehouse:
            place = Path(warehouse).absolute()
            place.mkdir(parents=True, exist_ok=True)
            # Derby, which belongs to one process at a time, beside the tables that it knows.
            conf["spark.hadoop.javax.jdo.option.ConnectionURL"] = (
                f"jdbc:derby:;databaseName={place / '_ff_metastore'};create=true"
            )
            conf["spark.driver.extraJavaOptions"] = f"-Dderby.stream.error.file={place / '_ff_derby.log'}"
    if "delta" in (settings.default_format, settings.state_format):
        conf["spark.sql.extensions"] = "io.delta.sql.DeltaSparkSessionExtension"
        conf["spark.sql.catalog.spark_catalog"] = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
    conf.update({key: _text(value) for key, value in settings.extra_conf.items()})
    builder = builder.master(settings.place).appName(settings.app_name)
    for key, value in conf.items():
        builder = builder.config(key, value)
    if hive:
        builder = builder.enableHiveSupport()
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        root = builder.getOrCreate()
    except Exception as exc:
        if "JAVA_GATEWAY_EXITED" in str(exc):
            raise _no_java(f"Java did not start Spark; it is {_java_version() or 'of an unknown version'}") from exc
        raise
    if interrupt is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupt)  # Spark puts its own there, and Ctrl-C would not reach the run
    return root


def need_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise _no_java("there is no Java" + (f" under JAVA_HOME ({home})" if home else " on this machine"))
    version = _java_version()
    number = re.search(r"\d+", version or "")
    if number is not None and int(number[0]) < _JAVA:
        raise _no_java(f"Java is of version {version}")


def _no_java(reason: str) -> EngineError:
    return EngineError(
        f"Spark cannot run in this process: {reason}",
        code="FF2131",
        kind=ErrorKind.UNSUPPORTED,
        help=f"install Java {_JAVA} and set JAVA_HOME, or use a server: master: sc://host:15002",
    )


def _java_version() -> str | None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else "java"
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "([^"]+)"', told)
    return found[1].removeprefix("1.") if found else None
