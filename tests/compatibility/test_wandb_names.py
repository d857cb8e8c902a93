"""The page about compatibility says what is so: it is written from the names that the real wandb package has."""

import pytest
import wandb_names

pytest.importorskip("wandb", reason="pip install wandb==0.31.0")


def test_every_public_name_of_wandb_is_there_or_noted_and_the_page_says_so():
    document = wandb_names.DOCUMENT.read_text(encoding="utf-8")
    assert wandb_names.with_tables(document) == document, "run python tests/compatibility/wandb_names.py"
