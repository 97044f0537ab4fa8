"""What a profile may say about MariaDB."""

from __future__ import annotations

import attrs

from flowforge.contract import setting


@attrs.frozen(kw_only=True)
class MariaDBSettings:
    """One server, and the database (its word for a schema) in which models are built."""

    host: str = setting(default="127.0.0.1", env="FF_MARIADB_HOST", help="Name or address of the server.")
    port: int = setting(default=3306, env="FF_MARIADB_PORT", help="Its port.")
    user: str = setting(env="FF_MARIADB_USER", help="Who logs in.")
    password: str = setting(default="", env="FF_MARIADB_PASSWORD", secret=True, help="The password.")
    database: str = setting(env="FF_MARIADB_DATABASE", help="Where models are built; made when it is missing.")
    connect_timeout: int = setting(default=5, help="Seconds to wait for the server when connecting.")
