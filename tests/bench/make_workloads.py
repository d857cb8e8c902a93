"""Writes what mlvc and its peers are timed on: many small files, a series of checkpoints, a full fine-tune, a growing table."""

from __future__ import annotations

import argparse
import json
import shutil
import struct
from pathlib import Path

import numpy as np

LAYERS = 24
TRAINED = 6
STEPS = 6
WIDTH = 1024


def bf16(values: np.ndarray) -> bytes:
    return (values.view("<u4") >> 16).astype("<u2").tobytes()


def write_checkpoint(path: Path, layers: list[np.ndarray]) -> None:
    """Writes a safetensors file of bf16 layers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header, at = {}, 0
    for number, layer in enumerate(layers):
        size = 2 * layer.size
        shape = [layer.size // WIDTH, WIDTH]
        header[f"layer.{number}.weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for layer in layers:
            file.write(bf16(layer))


def checkpoints(out: Path, scale: float) -> None:
    """Six steps of a fine-tune that trains the last quarter of its layers, then one in which all of them moved."""
    rng = np.random.default_rng(1)
    count = int(scale * (16 << 20)) // WIDTH * WIDTH
    layers = [(rng.standard_normal(count) * 0.02).astype("<f4") for _ in range(LAYERS)]
    for step in range(STEPS):
        write_checkpoint(out / f"series/{step}/model.safetensors", layers)
        for layer in layers[-TRAINED:]:
            layer += (rng.standard_normal(count) * 1e-4).astype("<f4")
    for layer in layers:
        layer += (rng.standard_normal(count) * 1e-4).astype("<f4")
    (out / "full/0").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(out / "series/0/model.safetensors", out / "full/0/model.safetensors")
    write_checkpoint(out / "full/1/model.safetensors", layers)


def many(out: Path, scale: float) -> None:
    """20,000 incompressible files of 4 to 16 kB; then 20 changed, 20 more, 20 fewer."""
    rng = np.random.default_rng(2)
    for number in range(int(20_000 * scale)):
        path = out / f"many/0/{number % 100:02d}/{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.bytes(int(rng.integers(4096, 16384))))
    shutil.copytree(out / "many/0", out / "many/1")
    for number in range(20):
        folder = out / f"many/1/{number % 100:02d}"
        (folder / f"{number:06d}.jpg").write_bytes(rng.bytes(9000))
        (folder / f"new{number}.jpg").write_bytes(rng.bytes(9000))
        (out / f"many/1/{(number + 40) % 100:02d}/{number + 40:06d}.jpg").unlink()


def table(out: Path, scale: float) -> None:
    """Five versions of a CSV file in which rows are changed, put in and appended."""
    rng = np.random.default_rng(3)
    rows = [
        f"{n},{rng.integers(1 << 30)},{rng.random():.6f},user{rng.integers(100_000)},{'klmnopqr'[n % 8] * 6}\n"
        for n in range(int(2_000_000 * scale))
    ]
    for version in range(5):
        path = out / f"table/{version}/rows.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            file.writelines(rows)
        for _ in range(50):
            rows.insert(int(rng.integers(len(rows))), f"put in {version}\n")
            rows[int(rng.integers(len(rows)))] = f"changed {version}\n"
        rows += [f"appended {version},{rng.random()}\n" for _ in range(int(20_000 * scale))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    for make in (many, checkpoints, table):
        make(given.out, given.scale)
