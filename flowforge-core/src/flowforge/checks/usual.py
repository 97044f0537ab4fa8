"""What is usual, given earlier numbers: how far a number is from their middle, in a measure that outliers cannot bend.

Pure arithmetic. Source: the modified z-score of B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers", 1993:
the distance from the median, divided by the median absolute deviation (MAD) / 0.6745, which for a normal distribution is
the standard deviation. They call a number an outlier beyond 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from flowforge.frozen import frozen

_OF_MAD = 0.6744897501960817  # MAD of a normal distribution with standard deviation 1
_OF_MEAN_DEVIATION = math.sqrt(2 / math.pi)  # its mean absolute deviation
NOISE = 1e-9
"""Share of the median below which differences are none: sums of floats differ so much with the order of rows."""
LEAST = 0.01
"""Share of the median that is the spread at least, where more than half of the numbers are equal."""


@frozen
class Usual:
    """What is usual.

    Parameters
    ----------
    middle:
        The median.
    spread:
        What corresponds to a standard deviation; 0 when all numbers are 0.
    """

    middle: float
    spread: float

    def distance(self, value: float) -> float:
        """How many spreads *value* lies above the middle; infinite when there is a difference, but no spread."""
        half = value / 2 - self.middle / 2  # so that no difference of finite numbers is too large
        if half == 0:
            return 0.0
        return math.copysign(math.inf, half) if self.spread == 0 else half / self.spread * 2

    def reach(self, distance: float) -> tuple[float, float]:
        """The least and the greatest number that is no farther than *distance* spreads."""
        return self.middle - distance * self.spread, self.middle + distance * self.spread


def usual(numbers: Sequence[float]) -> Usual:
    """What is usual, when these *numbers* were seen: finite ones, at least one.

    Where more than half of them are equal the MAD is 0. The spread is then the mean absolute deviation / 0.7979, or one
    percent of the median, whichever is greater.
    """
    size = max(map(abs, numbers)) or 1.0
    scaled = [number / size for number in numbers]  # so that nothing overflows
    middle = _median(scaled)
    deviations = [0.0 if (gap := abs(number - middle)) <= NOISE * abs(middle) else gap for number in scaled]
    spread = _median(deviations) / _OF_MAD
    if spread == 0:
        spread = max(math.fsum(deviations) / len(deviations) / _OF_MEAN_DEVIATION, LEAST * abs(middle))
    return Usual(middle * size, spread * size)


def _median(numbers: Sequence[float]) -> float:
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
