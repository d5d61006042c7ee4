"""Events of one sample as an array with named columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Events:
    """A table of events.

    Attributes:
        values: shape (events, channels), column-major (Fortran order), float32 as a rule.
        channels: one name per column, unique. $PnN as read from a file; marker names once a panel is bound.
    """

    values: FloatArray
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels):
            raise ValueError(f"{len(self.channels)} channel names for an array of shape {self.values.shape}")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channel names are not unique: {self.channels}")

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __contains__(self, channel: object) -> bool:
        return channel in self.channels

    def column(self, channel: str) -> FloatArray:
        """The values of one channel, shape (events,), a view.

        Raises:
            KeyError: there is no such channel.
        """
        try:
            return self.values[:, self.channels.index(channel)]
        except ValueError:
            raise KeyError(channel) from None

    def select(self, rows: Mask | NDArray[np.integer] | slice) -> Events:
        """The events of a mask, of row numbers or of a slice, in the file's order for masks and slices."""
        return Events(np.asfortranarray(self.values[rows]), self.channels)

    def take(self, channels: tuple[str, ...]) -> Events:
        """Only these channels, in this order."""
        index = [self.channels.index(channel) for channel in channels]
        return Events(np.asfortranarray(self.values[:, index]), channels)
