"""A team's week, as one test: build a dataset, train from it, register, evaluate, promote, trace. Each step is a run of its own.

The calls are those of scripts written for W&B; only the import says otherwise. Data and Keras are real.
"""

import os

import numpy as np
import pytest

import mlvc as wandb

keras = pytest.importorskip("keras")
pytest.importorskip("torch")
pytest.importorskip("PIL", reason="pip install 'mlvc[media]'")
pytest.importorskip("pyarrow", reason="pip install 'mlvc[media]'")

from mlvc.integration.keras import WandbCallback, WandbMetricsLogger  # noqa: E402 - only where Keras is

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROJECT, MODEL, REGISTERED = "model-management", "digits_model", "Digits Classifier".replace(" ", "-")


@pytest.fixture
def load_data(digits, monkeypatch):
    """Stands in for the one function that would download."""
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: digits)
    return keras.datasets.mnist.load_data


def table_of(images, labels, part):
    table = wandb.Table(columns=[], data=[])
    table.add_column(f"x_{part}", images)
    table.add_column(f"y_{part}", labels)
    table.add_computed_columns(lambda ndx, row: {"img": wandb.Image(row[f"x_{part}"])})
    return table


def build_dataset(load_data):
    (x_train, y_train), (x_test, y_test) = load_data()
    run = wandb.init(project=PROJECT, job_type="dataset_builder")
    artifact = wandb.Artifact("digits_dataset", type="dataset", metadata={"train": len(x_train)})
    for part, images, labels in (("train", x_train, y_train), ("eval", x_test, y_test)):
        scaled = np.expand_dims(images.astype("float32") / 255, -1)
        artifact.add(table_of(scaled, labels, part), f"{part}_table")
    artifact.save()
    run.finish()
    return run


def train():
    with wandb.init(project=PROJECT, job_type="model_trainer", config={"batch_size": 64, "epochs": 8, "optimizer": "adam"}) as run:
        artifact = run.use_artifact("digits_dataset:latest")
        table = artifact.get("train_table")
        x, y = table.get_column("x_train", convert_to="numpy"), table.get_column("y_train", convert_to="numpy")
        assert (x.shape, x.dtype, y.dtype) == ((500, 28, 28, 1), np.float32, np.int64)
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.layers.Input(shape=(28, 28, 1)),
                keras.layers.Conv2D(8, kernel_size=(3, 3), activation="relu"),
                keras.layers.MaxPooling2D(pool_size=(2, 2)),
                keras.layers.Flatten(),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(loss="categorical_crossentropy", optimizer=run.config.optimizer, metrics=["accuracy"])
        model.fit(
            x,
            keras.utils.to_categorical(y, 10),
            batch_size=run.config["batch_size"],
            epochs=run.config["epochs"],
            validation_split=0.1,
            verbose=0,
            callbacks=[WandbMetricsLogger(), WandbCallback(save_model=False, log_weights=True, log_evaluation=True)],
        )
        path = "model.keras"
        model.save(path)
        linked = run.link_model(path, registered_model_name=REGISTERED, name=MODEL, aliases=["staging"])
    return run, linked


def evaluate(name):
    with wandb.init(project=PROJECT, job_type="model_evaluator") as run:
        path = run.use_model(name)
        assert os.path.basename(path) == "model.keras"
        table = run.use_artifact("digits_dataset:latest").get("eval_table")
        x, y = table.get_column("x_eval", convert_to="numpy"), table.get_column("y_eval", convert_to="numpy")
        loss, accuracy = keras.models.load_model(path).evaluate(x, keras.utils.to_categorical(y, 10), verbose=0)
        run.log({"loss": (loss, accuracy), "accuracy": accuracy})
    return run, accuracy


def test_a_dataset_a_model_its_registration_evaluation_promotion_and_lineage(folder, load_data):
    built = build_dataset(load_data)
    trained, linked = train()
    evaluated, accuracy = evaluate(f"{MODEL}:latest")
    assert accuracy > 0.6

    api = wandb.Api({"project": PROJECT})
    registered = api.artifact(f"model-registry/{REGISTERED}:staging")
    registered.aliases.append("production")
    registered.save()
    by_alias, same_accuracy = evaluate(f"model-registry/{REGISTERED}:production")
    assert same_accuracy == accuracy

    model = api.artifact(f"{MODEL}:latest")
    assert (linked.source_name, registered.source_version, model.type) == (f"{MODEL}:v0", "v0", "model")
    assert model.logged_by().id == trained.id
    assert [run.id for run in model.used_by()] == [evaluated.id, by_alias.id]
    (dataset,) = model.logged_by().used_artifacts()
    assert (dataset.name, dataset.logged_by().id) == ("digits_dataset:v0", built.id)
    assert {run.id for run in dataset.used_by()} == {trained.id, evaluated.id, by_alias.id}
    assert len(model.logged_by().history()) > 3
    assert api.run(evaluated.path).summary["accuracy"] == pytest.approx(accuracy)

    again, _ = train()
    assert api.artifact(f"{MODEL}:v0").aliases == []
    assert [a.name for a in api.run(again.path).logged_artifacts() if a.type == "model"] == [f"{MODEL}:v1"]
    assert api.artifact(f"model-registry/{REGISTERED}:production").source_name == f"{MODEL}:v0"
