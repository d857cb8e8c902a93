"""Charts of a table: `wandb.plot`'s functions. What is kept is the table, and which columns are drawn how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from mlvc.media.tables import Table
from mlvc.media.values import Json, Keep, Media, StoredFiles

_MOST_POINTS = 1000
"""A curve is thinned out to so many points a class."""


class CustomChart(Media):
    """A chart.

    Attributes:
        table: what is drawn.
        kind: bar, histogram, line, scatter, line_series, confusion_matrix, roc_curve or pr_curve.
        fields: what the columns are: `x`, `y`, `label`, `value`, `stroke`.
        title: of the chart.
    """

    __slots__ = ("fields", "kind", "table", "title")
    _log_type: ClassVar[str] = "custom-chart"

    def __init__(self, table: Table, kind: str, fields: dict[str, str], title: str | None) -> None:
        for column in fields.values():
            if column not in table.columns:
                raise ValueError(f"the table has no column {column!r}, only {table.columns}")
        self.table, self.kind, self.fields, self.title = table, kind, fields, title or ""

    def said(self) -> Json:
        """Returns all but the table as JSON."""
        return {"_type": self._log_type, "kind": self.kind, "fields": self.fields, "title": self.title}

    def _entry(self, name: str, keep: Keep) -> Json:
        return {**self.said(), "table": self.table._entry(f"{name}_table", keep)}

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> CustomChart:
        return cls(Table._from_entry(entry["table"], files), entry["kind"], dict(entry["fields"]), entry["title"])


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Returns a bar for each row: its label, and its value."""
    return CustomChart(table, "bar", {"label": label, "value": value}, title)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Returns how often the values of a column occur."""
    return CustomChart(table, "histogram", {"value": value}, title)


def line(table: Table, x: str, y: str, stroke: str | None = None, title: str = "", split_table: bool = False) -> CustomChart:
    """Returns a line through the rows, or one for each value of the column `stroke`."""
    return CustomChart(table, "line", {"x": x, "y": y, **({"stroke": stroke} if stroke else {})}, title)


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Returns a point for each row."""
    return CustomChart(table, "scatter", {"x": x, "y": y}, title)


def line_series(
    xs: Any, ys: Sequence[Iterable[Any]], keys: Sequence[Any] | None = None, title: str = "", xname: str = "x", split_table: bool = False
) -> CustomChart:
    """Returns several lines.

    Args:
        xs: one list of numbers for all lines, or one for each.
        ys: a list of numbers for each line.
        keys: what each line is called.
        title: of the chart.
        xname: of the x axis.
        split_table: of W&B.

    Raises:
        ValueError: there are not as many names, or x axes, as lines.
    """
    first = next(iter(xs), None)
    axes = list(xs) if isinstance(first, Iterable) else [xs] * len(ys)
    names = list(keys) if keys is not None else [f"line_{number}" for number in range(len(ys))]
    if len(axes) != len(ys) or len(names) != len(ys):
        raise ValueError(f"Number of x-lists ({len(axes)}), y-lists ({len(ys)}) and keys ({len(names)}) must match")
    rows = [[x, str(name), y] for axis, name, values in zip(axes, names, ys, strict=True) for x, y in zip(axis, values, strict=False)]
    table = Table(columns=["step", "lineKey", "lineVal"], data=rows)
    return CustomChart(table, "line_series", {"x": "step", "y": "lineVal", "stroke": "lineKey"}, title or xname)


def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,
) -> CustomChart:
    """Returns how often each class was taken for each other.

    Args:
        probs: (rows, classes) scores; or
        preds: the class of each row.
        y_true: the true class of each row.
        class_names: by number.
        title: of the chart.
        split_table: of W&B.

    Raises:
        ValueError: both or none of `probs` and `preds` are given, or lengths differ.
    """
    import numpy as np

    if (probs is None) == (preds is None):
        raise ValueError("Must provide either `probs` or `preds` but not both to confusion matrix.")
    guessed = np.asarray(preds if preds is not None else np.argmax(np.asarray(probs), axis=1)).ravel()
    true = np.asarray(y_true).ravel()
    if len(guessed) != len(true):
        raise ValueError("Number of predictions and labels must match")
    seen = sorted({*true.tolist(), *guessed.tolist()}, key=str)
    are_numbers = all(isinstance(one, int) for one in seen)
    names: dict[Any, str] = {one: str(one) for one in seen}
    if class_names is not None:
        names = dict(enumerate(class_names)) if are_numbers else {one: one for one in class_names}
    strange = [one for one in seen if one not in names]
    if strange:
        raise ValueError(f"the class {strange[0]!r} has no name among {list(names.values())}")
    counts = {(a, b): 0 for a in names for b in names}
    for pair in zip(true.tolist(), guessed.tolist(), strict=True):
        counts[pair] += 1
    rows = [[str(names[a]), str(names[b]), count] for (a, b), count in counts.items()]
    table = Table(columns=["Actual", "Predicted", "nPredictions"], data=rows)
    return CustomChart(table, "confusion_matrix", {"x": "Predicted", "y": "Actual", "value": "nPredictions"}, title)


def roc_curve(
    y_true: Any, y_probas: Any, labels: Sequence[str] | None = None, classes_to_plot: Sequence[Any] | None = None, title: str = "ROC Curve",
    split_table: bool = False,
) -> CustomChart:  # fmt: skip
    """Returns the true positive rate over the false positive rate of each class.

    Args:
        y_true: the class of each row, counting from 0.
        y_probas: (rows, classes) scores.
        labels: names of the classes.
        classes_to_plot: which; default: all.
        title: of the chart.
        split_table: of W&B.
    """
    rows = []
    for name, hits, misses, positives, negatives in _ranked(y_true, y_probas, labels, classes_to_plot):
        points = _thinned([(0.0, 0.0), *zip(misses / max(negatives, 1), hits / max(positives, 1), strict=True)])
        rows += [[name, float(fpr), float(tpr)] for fpr, tpr in points]
    table = Table(columns=["class", "fpr", "tpr"], data=rows)
    return CustomChart(table, "roc_curve", {"x": "fpr", "y": "tpr", "stroke": "class"}, title)


def pr_curve(
    y_true: Any, y_probas: Any, labels: Sequence[str] | None = None, classes_to_plot: Sequence[Any] | None = None, interp_size: int = 21,
    title: str = "Precision-Recall Curve", split_table: bool = False,
) -> CustomChart:  # fmt: skip
    """Returns the precision over the recall of each class, at `interp_size` recalls; arguments as `roc_curve`."""
    import numpy as np

    rows = []
    for name, hits, misses, positives, _ in _ranked(y_true, y_probas, labels, classes_to_plot):
        recall, precision = hits / max(positives, 1), hits / (hits + misses)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        for wanted in np.linspace(0, 1, interp_size):
            at = min(int(np.searchsorted(recall, wanted)), len(best) - 1)
            rows.append([name, round(float(best[at]), 3), round(float(wanted), 3)])
    table = Table(columns=["class", "precision", "recall"], data=rows)
    return CustomChart(table, "pr_curve", {"x": "recall", "y": "precision", "stroke": "class"}, title)


def _ranked(y_true: Any, y_probas: Any, labels: Sequence[str] | None, wanted: Sequence[Any] | None) -> Iterable[tuple[str, Any, Any, int, int]]:
    """Yields each class with how many true and false positives each threshold gives, the highest first."""
    import numpy as np

    true, scores = np.asarray(y_true).ravel(), np.asarray(y_probas)
    if scores.ndim == 1:
        scores = np.stack([1 - scores, scores], axis=1)
    if len(true) != len(scores):
        raise ValueError(f"there are {len(true)} labels and {len(scores)} rows of scores")
    for number in range(scores.shape[1]):
        if wanted is not None and number not in wanted and (labels is None or labels[number] not in wanted):
            continue
        order = np.argsort(-scores[:, number], kind="stable")
        is_one = true[order] == number
        ends = np.r_[np.flatnonzero(np.diff(scores[order, number])), len(order) - 1]
        hits, misses = np.cumsum(is_one)[ends], np.cumsum(~is_one)[ends]
        yield str(labels[number]) if labels is not None else str(number), hits, misses, int(is_one.sum()), int((~is_one).sum())


def _thinned(points: list[Any]) -> list[Any]:
    if len(points) <= _MOST_POINTS:
        return points
    return [points[round(at * (len(points) - 1) / (_MOST_POINTS - 1))] for at in range(_MOST_POINTS)]
