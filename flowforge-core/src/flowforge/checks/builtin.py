"""The checks that every project can use, as the core's own plugin offers them."""

from __future__ import annotations

from flowforge.checks.anomalies import ANOMALIES
from flowforge.checks.column_checks import COLUMN_CHECKS
from flowforge.checks.comparisons import COMPARISONS
from flowforge.checks.measures import MEASURES
from flowforge.checks.row_checks import ROW_CHECKS
from flowforge.contract import CheckSpec

CHECKS: tuple[CheckSpec, ...] = (*ROW_CHECKS, *MEASURES, *COMPARISONS, *COLUMN_CHECKS, *ANOMALIES)
