"""Splits scikit-learn's bundled digits into a training and a test part and logs them as an artifact."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import mlvc

with mlvc.init(project="digits", job_type="build_dataset", config={"test_size": 0.25, "seed": 0}) as run:
    digits = load_digits()
    parts = train_test_split(
        digits.data / 16.0, digits.target, test_size=run.config["test_size"], random_state=run.config["seed"]
    )
    folder = Path("data")
    folder.mkdir(exist_ok=True)
    np.savez(folder / "train.npz", x=parts[0], y=parts[2])
    np.savez(folder / "test.npz", x=parts[1], y=parts[3])

    artifact = mlvc.Artifact("digits_dataset", type="dataset", metadata={"train": len(parts[0]), "test": len(parts[1])})
    artifact.add_dir("data")
    run.log_artifact(artifact)
