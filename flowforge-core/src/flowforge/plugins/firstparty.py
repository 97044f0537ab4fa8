"""Which of our own distributions brings which engine, and which drivers talk to it; read only when that is asked."""

from __future__ import annotations

from flowforge.frozen import frozen


@frozen
class EnginePackage:
    """A distribution that brings an engine; *drivers* are Python modules that open connections to it."""

    engine: str
    distribution: str
    aliases: tuple[str, ...] = ()
    zero_config: bool = False
    drivers: tuple[str, ...] = ()


@frozen
class FirstParty:
    """The contents of ``engine_packages.toml``."""

    packages: tuple[EnginePackage, ...]

    @classmethod
    def read(cls) -> FirstParty:
        """Read the file that ships with the core."""
        import tomllib
        from importlib.resources import files

        text = files("flowforge").joinpath("engine_packages.toml").read_text(encoding="utf-8")
        return cls(
            tuple(
                EnginePackage(
                    engine,
                    entry["distribution"],
                    tuple(entry.get("aliases", ())),
                    entry.get("zero_config", False),
                    tuple(entry.get("drivers", ())),
                )
                for engine, entry in tomllib.loads(text).items()
            )
        )

    def package_of(self, word: str) -> EnginePackage | None:
        """The distribution that brings the engine with this name or alias."""
        for package in self.packages:
            if word == package.engine or word in package.aliases:
                return package
        return None

    @property
    def words(self) -> tuple[str, ...]:
        """All names and aliases."""
        return tuple(word for package in self.packages for word in (package.engine, *package.aliases))

    @property
    def zero_config(self) -> tuple[EnginePackage, ...]:
        """Those whose engine runs without settings."""
        return tuple(package for package in self.packages if package.zero_config)
