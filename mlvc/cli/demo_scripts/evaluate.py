"""Evaluates a registered model on the test digits. Usage: evaluate.py [REF]"""

import os
import sys
from pathlib import Path

import joblib
import numpy as np

import mlvc

reference = sys.argv[1] if len(sys.argv) > 1 else "registry/digits-dev:latest"

with mlvc.init(project="digits", job_type="evaluate_model") as run:
    test = np.load(Path(run.use_artifact("digits_dataset:latest").download()) / "test.npz")
    path = run.use_model(reference)
    model = joblib.load(path if os.path.isfile(path) else os.path.join(path, "model.joblib"))
    accuracy = float(model.score(test["x"], test["y"]))
    run.log({"accuracy": accuracy})
    print(f"accuracy {accuracy:.4f}")
