"""Trains a small neural network on the latest digits and registers it."""

from pathlib import Path

import joblib
import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

import mlvc

with mlvc.init(project="digits", job_type="train_model", config={"epochs": 20, "hidden": 64, "lr": 0.01}) as run:
    dataset = run.use_artifact("digits_dataset:latest")
    train = np.load(Path(dataset.download()) / "train.npz")

    model = MLPClassifier((run.config["hidden"],), learning_rate_init=run.config["lr"], random_state=0)
    for epoch in range(run.config["epochs"]):
        model.partial_fit(train["x"], train["y"], classes=np.arange(10))
        loss = log_loss(train["y"], model.predict_proba(train["x"]), labels=np.arange(10))
        run.log({"epoch": epoch, "loss": loss, "accuracy": model.score(train["x"], train["y"])})

    joblib.dump(model, "model.joblib")
    run.link_model("model.joblib", registered_model_name="digits-dev", name="digits_model")
