"""MariaDB for FlowForge, by a third party: see the README beside it."""
