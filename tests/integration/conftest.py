"""Keras on torch, a repository as the current folder, and scikit-learn's digits in the shape of MNIST."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it when it is imported

import numpy as np
import pytest

import mlvc
from mlvc.api import beginning


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("MLVC_", "WANDB_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLVC_USER", "Ada <ada@example.org>")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"
    if beginning.current() is not None:
        mlvc.finish()


@pytest.fixture(scope="session")
def digits():
    """((train images, labels), (test images, labels)) as `keras.datasets.mnist.load_data` gives them: uint8, 28 by 28."""
    datasets = pytest.importorskip("sklearn.datasets")
    held = datasets.load_digits()
    images = np.kron(held.images, np.ones((1, 3, 3)))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    images, labels = (images / 16 * 255).astype("uint8"), held.target.astype("uint8")
    return (images[:500], labels[:500]), (images[500:600], labels[500:600])
