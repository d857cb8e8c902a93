"""Callbacks for Keras 3, on any backend: `WandbMetricsLogger`, `WandbModelCheckpoint`, `WandbEvalCallback`, the old `WandbCallback`.

What each does stands in a class without Keras below; the public one is it and Keras' own callback together, made when it is
first asked for.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import mlvc
from mlvc.errors import UnsupportedError, UsageError

Logs = Mapping[str, Any] | None


def _active_run(what: str) -> Any:
    run = mlvc.run
    if run is None:
        raise mlvc.Error(f"You must call `wandb.init()` before {what}()")
    return run


class _MetricsLogger:
    """Logs what Keras measures: `epoch/loss` and the like at the end of each epoch, or `batch/loss` every so many batches.

    Args:
        log_freq: "epoch", "batch", or a number of batches.
        initial_global_step: the step that a resumed training goes on from, for learning rate schedules.
    """

    model: Any

    def __init__(self, log_freq: str | int = "epoch", initial_global_step: int = 0, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        run = _active_run("WandbMetricsLogger")
        every = 1 if log_freq == "batch" else log_freq
        if every != "epoch" and (not isinstance(every, int) or every < 1):
            raise UsageError(f"log_freq is 'epoch', 'batch' or a number of batches, found {log_freq!r}")
        self.logging_batch_wise = isinstance(every, int)
        self.log_freq: Any = every if self.logging_batch_wise else None
        self.global_batch = 0
        self.global_step = initial_global_step
        what, step = ("batch", "batch_step") if self.logging_batch_wise else ("epoch", "epoch")
        run.define_metric(f"{what}/{step}")
        run.define_metric(f"{what}/*", step_metric=f"{what}/{step}")

    def _logged(self, what: str, logs: Logs) -> dict[str, Any]:
        found = {f"{what}/{name}": value for name, value in (logs or {}).items()}
        rate = _learning_rate(self.model, self.global_step)
        if rate is not None:
            found[f"{what}/learning_rate"] = rate
        return found

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Logs the epoch."""
        mlvc.log({**self._logged("epoch", logs), "epoch/epoch": epoch})

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Logs the batch, when its turn has come."""
        self.global_step += 1
        if self.logging_batch_wise and batch % self.log_freq == 0:
            mlvc.log({**self._logged("batch", logs), "batch/batch_step": self.global_batch})
            self.global_batch += self.log_freq


def _learning_rate(model: Any, step: int) -> float | None:
    """Returns the rate that an optimizer has at a step; None when there is no optimizer."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    if rate is None:
        return None
    if callable(rate) and not hasattr(rate, "numpy"):
        rate = rate(step)
    return float(_plain(rate))


def _plain(value: Any) -> Any:
    """Returns what any backend's tensor holds as a numpy array."""
    import keras

    return keras.ops.convert_to_numpy(value)


class _ModelCheckpoint:
    """Saves the model as Keras' `ModelCheckpoint` does, and logs each file that it saves as an artifact `run_ID_model`.

    Args as Keras': filepath, monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold.
    """

    filepath: str
    save_best_only: bool

    def __init__(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(os.fspath(filepath), *args, **kwargs)  # type: ignore[call-arg]
        _active_run("WandbModelCheckpoint")
        self._logged: dict[str, tuple[int, int]] = {}
        if self.save_best_only and "{" not in self.filepath:
            mlvc.termwarn(
                "When using `save_best_only`, ensure that the `filepath` argument contains formatting placeholders like "
                "`{epoch:02d}` or `{batch:02d}`: the file is written over, and the versions keep what it was",
                repeat=False,
            )

    def _save_model(self, epoch: int, batch: int | None, logs: Logs) -> None:
        parent: Any = super()
        parent._save_model(epoch=epoch, batch=batch, logs=logs)  # noqa: SLF001 - the one place where both roads of Keras meet
        path = self._get_file_path(epoch=epoch, batch=batch, logs=logs)  # type: ignore[attr-defined]
        if not os.path.exists(path):
            return  # it was not the best
        looks = os.stat(path)
        seen = looks.st_mtime_ns, looks.st_size
        if self._logged.get(path) == seen:
            return
        self._logged[path] = seen
        artifact = mlvc.Artifact(f"run_{mlvc.run.id}_model", type="model")
        (artifact.add_dir if os.path.isdir(path) else artifact.add_file)(path)
        alias = f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"
        mlvc.log_artifact(artifact, aliases=["latest", alias])


class _EvalCallback:
    """Logs a table of ground truth once, and a table of predictions each epoch. Derive from it, and write both methods.

    Args:
        data_table_columns, pred_table_columns: of the two tables.
    """

    model: Any

    def __init__(self, data_table_columns: list[str], pred_table_columns: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _active_run("WandbEvalCallback")
        self.data_table_columns = data_table_columns
        self.pred_table_columns = pred_table_columns

    def add_ground_truth(self, logs: Logs = None) -> None:
        """Adds rows to `self.data_table`."""
        raise NotImplementedError(f"{self.__class__.__name__}.add_ground_truth")

    def add_model_predictions(self, epoch: int, logs: Logs = None) -> None:
        """Adds rows to `self.pred_table`, perhaps with cells of `self.data_table_ref`."""
        raise NotImplementedError(f"{self.__class__.__name__}.add_model_predictions")

    def on_train_begin(self, logs: Logs = None) -> None:
        """Logs the table of ground truth."""
        self.init_data_table(self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Logs a table of predictions."""
        self.init_pred_table(self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    def init_data_table(self, column_names: list[str]) -> None:
        """Begins `self.data_table`."""
        self.data_table = mlvc.Table(columns=list(column_names), allow_mixed_types=True)

    def init_pred_table(self, column_names: list[str]) -> None:
        """Begins `self.pred_table`."""
        self.pred_table = mlvc.Table(columns=list(column_names))

    def log_data_table(self, name: str = "val", type: str = "dataset", table_name: str = "val_data") -> None:  # noqa: A002
        """Logs `self.data_table` as an artifact, and makes it `self.data_table_ref`."""
        artifact = mlvc.Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        self.data_table_ref = mlvc.run.use_artifact(artifact).get(table_name)

    def log_pred_table(self, type: str = "evaluation", table_name: str = "eval_data", aliases: list[str] | None = None) -> None:  # noqa: A002
        """Logs `self.pred_table` as an artifact `run_ID_pred`."""
        artifact = mlvc.Artifact(f"run_{mlvc.run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        mlvc.log_artifact(artifact, aliases=aliases or ["latest"])


_MOST_ROWS = 10_000
"""Of the validation data that a table of predictions shows."""

RowProcessor = Callable[[int, dict[str, Any]], dict[str, Any]]


class _OldCallback:
    """The callback that W&B had until 0.27: metrics, weights, the best model, a table of predictions.

    Args:
        monitor: what decides which model is best.
        verbose: whether saving is printed.
        mode: min, max, or auto: max for accuracies.
        save_weights_only: save weights instead of the model.
        log_weights: log histograms of the weights each epoch.
        log_gradients: not supported; `Run.watch` logs those of torch modules.
        save_model: save the best model to `model-best` in the run's folder, and log it as an artifact `model-NAME`.
        training_data: of W&B; only gradients needed it.
        validation_data: (inputs, targets); default: what `fit` was given.
        predictions: how many rows `log_evaluation` shows when the validation data does not say how many there are.
        log_evaluation: log a table of the validation data and what the model makes of it.
        validation_steps: how many batches of the validation data the table shows.
        log_batch_frequency: log metrics every so many batches, too.
        log_best_prefix: of the summary keys of the best epoch; None for none.
        validation_row_processor, prediction_row_processor: fn(number, row) -> further columns; rows have `input`, `target`, and
            `output`, `val_row`.
        infer_missing_processors: whether images and classes are recognised without those.
        log_evaluation_frequency: log the table every so many epochs; 0: at the end.
        ignored: further ones of W&B.
    """

    model: Any

    def __init__(
        self,
        monitor: str = "val_loss",
        verbose: int = 0,
        mode: str = "auto",
        save_weights_only: bool = False,
        log_weights: bool = False,
        log_gradients: bool = False,
        save_model: bool = True,
        training_data: Any = None,
        validation_data: Any = None,
        labels: Sequence[str] | None = None,
        predictions: int | None = None,
        generator: Any = None,
        input_type: str | None = None,
        output_type: str | None = None,
        log_evaluation: bool = False,
        validation_steps: int | None = None,
        class_colors: Any = None,
        log_batch_frequency: int | None = None,
        log_best_prefix: str | None = "best_",
        save_graph: bool = True,
        validation_indexes: Sequence[Any] | None = None,
        validation_row_processor: RowProcessor | None = None,
        prediction_row_processor: RowProcessor | None = None,
        infer_missing_processors: bool = True,
        log_evaluation_frequency: int = 0,
        compute_flops: bool = False,
        **ignored: Any,
    ) -> None:
        super().__init__()
        _active_run("WandbCallback")
        if log_gradients:
            raise UnsupportedError("WandbCallback(log_gradients=True) is not supported", hint="run.watch(model) logs gradients of torch modules")
        if mode not in ("auto", "min", "max"):
            raise UsageError(f"mode is auto, min or max, found {mode!r}")
        self.monitor, self.verbose = monitor, verbose
        is_max = mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.startswith("fmeasure") or "auc" in monitor.lower()))
        self._is_better: Callable[[float, float], bool] = (lambda a, b: a > b) if is_max else (lambda a, b: a < b)
        self.best = -math.inf if is_max else math.inf
        self.save_model, self.save_weights_only = save_model, save_weights_only
        self.log_weights, self.log_evaluation = log_weights, log_evaluation
        self.log_batch_frequency, self.log_best_prefix = log_batch_frequency, log_best_prefix
        self.log_evaluation_frequency = log_evaluation_frequency
        self.labels = list(labels) if labels else []
        self._validation = None if validation_data is None else _rows_of(validation_data)
        self._most_rows = predictions or _MOST_ROWS
        self._validation_steps = validation_steps
        self._indexes = validation_indexes
        self._validation_row, self._prediction_row = validation_row_processor, prediction_row_processor
        self._infer = infer_missing_processors

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Logs the batch, when its turn has come."""
        if self.log_batch_frequency and batch % self.log_batch_frequency == 0:
            mlvc.log(dict(logs or {}))

    def on_test_begin(self, logs: Logs = None) -> None:
        """Takes the validation data, while Keras has it."""
        if self.log_evaluation and self._validation is None:
            self._validation = _rows_of_fit(self.model, self._validation_steps, self._most_rows)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Logs the epoch; keeps the model when it is the best so far."""
        if self.log_weights:
            mlvc.log(self._weights(), commit=False)
        if self.log_evaluation and self.log_evaluation_frequency > 0 and epoch % self.log_evaluation_frequency == 0:
            self._log_evaluation(commit=False)
        mlvc.log({"epoch": epoch, **(logs or {})})
        current = (logs or {}).get(self.monitor)
        if current is None or not self._is_better(float(current), self.best):
            return
        if self.log_best_prefix is not None:
            mlvc.run.summary[f"{self.log_best_prefix}{self.monitor}"] = float(current)
            mlvc.run.summary[f"{self.log_best_prefix}epoch"] = epoch
        if self.verbose and self.save_model:
            mlvc.termlog(f"Epoch {epoch:05d}: {self.monitor} improved from {self.best:.5f} to {float(current):.5f}, saving model")
        self.best = float(current)
        if self.save_model:
            self._save(epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        """Logs the table of predictions."""
        if self.log_evaluation and self.log_evaluation_frequency == 0:
            self._log_evaluation(commit=True)

    def _weights(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for layer in self.model.layers:
            for weight in layer.weights:
                name = "bias" if weight.name.startswith("bias") else "weights" if weight.name.startswith("kernel") else weight.name
                found[f"parameters/{layer.name}.{name}"] = mlvc.Histogram(_plain(weight))
        return found

    def _save(self, epoch: int) -> None:
        run = mlvc.run
        path = os.path.join(run.dir, "model-best.weights.h5" if self.save_weights_only else "model-best.keras")
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.save_weights_only:
            return
        name = f"model-{run.name}"
        try:
            artifact = mlvc.Artifact(name, type="model")
        except ValueError:
            artifact = mlvc.Artifact(f"model-{run.id}", type="model")
        artifact.add_file(path)
        run.log_artifact(artifact, aliases=["latest", f"epoch_{epoch}"])

    # -- the table of predictions -----------------------------------------------------------------------------------------

    def _log_evaluation(self, *, commit: bool) -> None:
        if self._validation is None:
            mlvc.termwarn("log_evaluation needs validation data: give validation_data to fit or to WandbCallback", repeat=False)
            return
        inputs, targets = self._validation
        outputs = self.model.predict(inputs, verbose=0)
        rows = [self._row(number, inputs[number], targets[number], outputs[number]) for number in range(len(inputs))]
        table = mlvc.Table(columns=list(rows[0]), data=[list(row.values()) for row in rows], allow_mixed_types=True)
        mlvc.log({"validation_predictions": table}, commit=commit)

    def _row(self, number: int, given: Any, target: Any, output: Any) -> dict[str, Any]:
        index = number if self._indexes is None else self._indexes[number]
        row: dict[str, Any] = {"val_row": index}
        if self._validation_row is not None:
            row |= self._validation_row(number, {"input": given, "target": target})
        else:
            row["input"] = mlvc.Image(given) if self._infer and _looks_like_image(given) else given
            row["target"] = self._class(target) if self._infer else target
        if self._prediction_row is not None:
            return {**row, **self._prediction_row(number, {"output": output, "val_row": index})}
        row["output"] = output
        if self._infer and getattr(output, "ndim", 0) == 1 and len(output) > 1:
            best = int(output.argmax())
            row |= {"output:max_class": self.labels[best] if best < len(self.labels) else best, "output:score": float(output[best])}
        return row

    def _class(self, target: Any) -> Any:
        """Returns the class that a target means: one-hot vectors by their place, numbers by themselves."""
        if getattr(target, "size", 1) > 1 and getattr(target, "ndim", 0) == 1 and float(target.sum()) == 1.0:
            target = target.argmax()
        found = target.item() if getattr(target, "size", 0) == 1 else target
        is_label = isinstance(found, int) and 0 <= found < len(self.labels)
        return self.labels[found] if is_label else found


def _looks_like_image(given: Any) -> bool:
    shape: tuple[int, ...] = tuple(getattr(given, "shape", ()))
    return (len(shape) == 2 and min(shape) > 1) or (len(shape) == 3 and shape[-1] in (1, 3, 4))


def _rows_of(data: Any) -> tuple[Any, Any]:
    """Returns (inputs, targets) as arrays; of batches, all of them."""
    if isinstance(data, (tuple, list)) and len(data) >= 2:
        return _plain(data[0]), _plain(data[1])
    return _stacked((batch for batch in data), _MOST_ROWS) or _no_rows()


def _no_rows() -> Any:
    raise UsageError("the validation data is empty, or no pair of inputs and targets")


def _rows_of_fit(model: Any, steps: int | None, most: int) -> tuple[Any, Any] | None:
    """Returns the validation data that `fit` was given, as arrays; None where Keras does not show it."""
    adapter = getattr(getattr(model, "_eval_epoch_iterator", None), "data_adapter", None)
    if adapter is None or not hasattr(adapter, "get_numpy_iterator"):
        return None
    batches: Iterator[Any] = iter(adapter.get_numpy_iterator())
    return _stacked(batches if steps is None else (batch for _, batch in zip(range(steps), batches, strict=False)), most)


def _stacked(batches: Iterator[Any], most: int) -> tuple[Any, Any] | None:
    import numpy as np

    inputs: list[Any] = []
    targets: list[Any] = []
    for batch in batches:
        inputs.append(_plain(batch[0]))
        targets.append(_plain(batch[1]))
        if sum(map(len, inputs)) >= most:
            break
    return (np.concatenate(inputs)[:most], np.concatenate(targets)[:most]) if inputs else None


_PARTS: dict[str, tuple[type, str]] = {
    "WandbMetricsLogger": (_MetricsLogger, "Callback"),
    "WandbModelCheckpoint": (_ModelCheckpoint, "ModelCheckpoint"),
    "WandbEvalCallback": (_EvalCallback, "Callback"),
    "WandbCallback": (_OldCallback, "Callback"),
}
"""Public name -> what it does, and which of Keras' callbacks it is."""


def __getattr__(name: str) -> Any:
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise  # Keras is there, and misses its backend
        raise UsageError(f"{name} needs Keras 3, which is not installed", hint="pip install keras, and a backend such as torch") from error
    part, parent = _PARTS[name]
    bases: tuple[type, ...] = (part, getattr(keras.callbacks, parent))
    made = type(name, bases, {"__module__": __name__, "__doc__": part.__doc__})
    globals()[name] = made
    return made
