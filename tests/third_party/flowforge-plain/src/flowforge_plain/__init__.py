"""An engine without transactions and locks; see :mod:`flowforge_plain.plugin`."""
