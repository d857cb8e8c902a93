"""Histograms: counts by bins, kept in the history itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from mlvc.media.values import Json, Keep, Media, StoredFiles


class Histogram(Media):
    """Counts by bins.

    Args:
        sequence: numbers of any shape; those that are not finite are left out.
        np_histogram: what `numpy.histogram` returned: (counts, borders), instead of a sequence.
        num_bins: of a sequence; at most 512.

    Attributes:
        histogram: the counts.
        bins: the borders, one more than counts.

    Raises:
        ValueError: too many bins, or lengths that do not fit.
    """

    __slots__ = ("bins", "histogram")
    _log_type: ClassVar[str] = "histogram"
    MAX_LENGTH = 512

    def __init__(self, sequence: Any = None, np_histogram: Any = None, num_bins: int = 64) -> None:
        if np_histogram is not None:
            if len(np_histogram) != 2:
                raise ValueError("Expected np_histogram to be a tuple of (values, bin_edges) or sequence to be specified")
            self.histogram = _plain(np_histogram[0])
            self.bins = _plain(np_histogram[1])
        elif sequence is None:
            raise ValueError("a sequence or np_histogram is needed")
        else:
            import numpy as np

            values = np.asarray(_off_device(sequence), dtype=np.float64).ravel()
            counts, borders = np.histogram(values[np.isfinite(values)], bins=num_bins)
            self.histogram, self.bins = _plain(counts), _plain(borders)
        if len(self.histogram) > self.MAX_LENGTH:
            raise ValueError(f"The maximum length of a histogram is {self.MAX_LENGTH}")
        if len(self.histogram) + 1 != len(self.bins):
            raise ValueError("len(bins) must be len(histogram) + 1")

    def said(self) -> Json:
        """Returns it as JSON."""
        return {"_type": self._log_type, "values": self.histogram, "bins": self.bins}

    def _entry(self, name: str, keep: Keep) -> Json:
        return self.said()

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> Histogram:
        return cls(np_histogram=(entry["values"], entry["bins"]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and other.said() == self.said()

    def __hash__(self) -> int:
        return id(self)


def _plain(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _off_device(sequence: Any) -> Any:
    """Returns what numpy can read: a tensor leaves its device and gradient behind."""
    if not hasattr(sequence, "detach"):
        return sequence if not isinstance(sequence, Sequence) else list(sequence)
    plain = sequence.detach().cpu()
    return plain.float().numpy() if plain.is_floating_point() else plain.numpy()
