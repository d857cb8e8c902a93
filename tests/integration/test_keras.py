"""The callbacks for Keras, in real trainings on the torch backend."""

from pathlib import Path

import numpy as np
import pytest

import mlvc as wandb
from mlvc.integration import keras as integration

keras = pytest.importorskip("keras")
pytest.importorskip("torch")
pytest.importorskip("PIL", reason="pip install 'mlvc[media]'")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3 on torch with numpy 2 warns so of its own tensors."""


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax", name="dense")])
    made.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return made


@pytest.fixture
def data(digits):
    (x, y), _ = digits
    return x[:200, ..., None] / np.float32(255), y[:200]


def fit(model, data, *callbacks, epochs=3, **more):
    return model.fit(*data, epochs=epochs, batch_size=50, verbose=0, callbacks=list(callbacks), **more)


def rows(run):
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in wandb.Api().run(run.id).scan_history()]


def test_callbacks_want_a_run_first(folder):
    for name in ("WandbMetricsLogger", "WandbCallback"):
        with pytest.raises(wandb.Error, match=r"must call `wandb\.init\(\)` before"):
            getattr(integration, name)()
    with pytest.raises(AttributeError):
        _ = integration.WandbNothing


def test_metrics_are_logged_by_epoch(folder, model, data):
    with wandb.init() as run:
        history = fit(model, data, integration.WandbMetricsLogger(), validation_split=0.2).history
    found = rows(run)
    assert [row["epoch/epoch"] for row in found] == [0, 1, 2]
    assert [row["epoch/val_loss"] for row in found] == pytest.approx(history["val_loss"])
    assert found[0]["epoch/learning_rate"] == pytest.approx(0.001)
    assert {"epoch/loss", "epoch/accuracy", "epoch/val_accuracy"} <= found[0].keys()
    rules = wandb.Api().run(run.id).metadata["metrics"]
    assert {"name": "epoch/*", "step_metric": "epoch/epoch", "step_sync": True} in rules


def test_metrics_are_logged_by_batch_and_the_rate_follows_its_schedule(folder, model, data):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.1, 0.01])
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(schedule))
    with wandb.init() as run:
        fit(model, data, integration.WandbMetricsLogger(log_freq=2), epochs=2)
    found = [row for row in rows(run) if "batch/batch_step" in row]
    assert [row["batch/batch_step"] for row in found] == [0, 2, 4, 6]
    assert found[0]["batch/learning_rate"] == pytest.approx(0.1)
    assert found[-1]["batch/learning_rate"] == pytest.approx(0.01)
    with wandb.init(), pytest.raises(wandb.UsageError, match="log_freq"):
        integration.WandbMetricsLogger(log_freq=0)


def test_each_checkpoint_is_a_version(folder, model, data):
    with wandb.init() as run:
        fit(model, data, integration.WandbModelCheckpoint("m-{epoch:02d}.keras"), epochs=2)
    found = wandb.Api().artifact(f"run_{run.id}_model:epoch_1")
    assert (found.type, found.version, found.aliases) == ("model", "v1", ["epoch_1", "latest"])
    loaded = keras.models.load_model(found.file())
    assert np.allclose(loaded.predict(data[0][:3], verbose=0), model.predict(data[0][:3], verbose=0))


def test_only_the_best_are_versions_when_that_was_asked_for(folder, model, data):
    with wandb.init() as run:
        best = integration.WandbModelCheckpoint("best.keras", monitor="loss", save_best_only=True)
        fit(model, data, best, epochs=3)
        worse = keras.optimizers.SGD(1000.0)
        model.compile(loss="sparse_categorical_crossentropy", optimizer=worse)
        fit(model, data, best, epochs=2)
    assert len(wandb.Api().artifacts("model", f"run_{run.id}_model")) == 3


def test_checkpoints_by_batch_are_named_after_it(folder, model, data):
    with wandb.init() as run:
        fit(model, data, integration.WandbModelCheckpoint("m-{epoch:02d}-{batch:02d}.weights.h5", save_weights_only=True, save_freq=3), epochs=1)
    found = wandb.Api().artifact(f"run_{run.id}_model")
    assert [a for a in found.aliases if a != "latest"] == ["epoch_0_batch_2"]


def test_the_old_callback_logs_metrics_weights_the_best_model_and_predictions(folder, model, data):
    with wandb.init(name="old") as run:
        fit(model, data, integration.WandbCallback(log_weights=True, log_evaluation=True, labels=list("abcdefghij")), validation_split=0.1)
        summary = dict(run.summary)
    found = rows(run)
    by_epoch = [row for row in found if "epoch" in row]
    assert [row["epoch"] for row in by_epoch] == [0, 1, 2]
    assert by_epoch[0]["parameters/dense.weights"]["_type"] == "histogram"
    assert (summary["best_epoch"], summary["best_val_loss"]) == (2, pytest.approx(by_epoch[-1]["val_loss"]))
    api = wandb.Api()
    assert [a.aliases for a in api.artifacts("model", "model-old", order="+version_index")][-1] == ["epoch_2", "latest"]
    assert api.run(run.id).file("model-best.keras").size > 1000
    table = api.artifact(f"run-{run.id}-validation_predictions").get("validation_predictions")
    assert table.columns == ["val_row", "input", "target", "output", "output:max_class", "output:score"]
    assert len(table.data) == 20
    assert table.get_column("target")[0] in "abcdefghij"
    assert np.array(table.get_column("input")[0].image).shape == (28, 28)
    outputs = np.stack(table.get_column("output"))
    assert np.allclose(outputs, model.predict(data[0][-20:], verbose=0), atol=1e-6)


def test_the_old_callback_takes_validation_data_and_row_processors(folder, model, data):
    with wandb.init() as run:
        callback = integration.WandbCallback(
            validation_data=(data[0][:5], data[1][:5]),
            log_evaluation=True,
            log_evaluation_frequency=2,
            save_model=False,
            monitor="loss",
            log_best_prefix=None,
            validation_row_processor=lambda ndx, row: {"label": int(row["target"]), "ndx": ndx},
            prediction_row_processor=lambda ndx, row: {"guess": int(row["output"].argmax())},
        )
        fit(model, data, callback)
    table = wandb.Api().artifact(f"run-{run.id}-validation_predictions").get("validation_predictions")
    assert table.columns == ["val_row", "label", "ndx", "guess"]
    assert table.get_column("label") == [int(y) for y in data[1][:5]]
    assert len(wandb.Api().run(run.id).logged_artifacts()) == 2
    assert "best_loss" not in wandb.Api().run(run.id).summary


def test_what_the_old_callback_cannot_do_says_so(folder):
    with wandb.init():
        with pytest.raises(wandb.UsageError, match="log_gradients"):
            integration.WandbCallback(log_gradients=True)
        with pytest.raises(wandb.UsageError, match="mode"):
            integration.WandbCallback(mode="best")


def test_tables_of_truth_and_predictions_are_logged_by_a_callback_of_ones_own(folder, model, data):
    class Evaluate(integration.WandbEvalCallback):
        def add_ground_truth(self, logs=None):
            for ndx in range(4):
                self.data_table.add_data(ndx, wandb.Image(data[0][ndx]), int(data[1][ndx]))

        def add_model_predictions(self, epoch, logs=None):
            guesses = self.model.predict(data[0][:4], verbose=0).argmax(axis=1)
            for ndx in self.data_table_ref.get_index():
                row = self.data_table_ref.data[ndx]
                self.pred_table.add_data(epoch, row[0], row[1], row[2], int(guesses[ndx]))

    with wandb.init() as run:
        fit(model, data, Evaluate(["idx", "image", "label"], ["epoch", "idx", "image", "label", "pred"]), epochs=2)
    found = wandb.Api().artifact(f"run_{run.id}_pred:v1").get("eval_data")
    assert (found.get_column("epoch"), found.get_column("label")) == ([1] * 4, [int(y) for y in data[1][:4]])
    assert Path(wandb.Api().artifact("val").download(), "val_data.table.json").exists()
