"""The reference in the docs is made from the code, and every verb explains itself."""

from pathlib import Path

import click
import pytest

from mlvc.cli import reference
from mlvc.cli.main import mlvc

PAGE = Path(__file__).parents[2] / "docs" / "cli-reference.md"


def test_the_cli_reference_is_current():
    assert PAGE.read_text(encoding="utf-8") == reference.render()


@pytest.mark.parametrize("verb", mlvc.list_commands(click.Context(mlvc)))
def test_every_verb_has_help_with_an_example(verb):
    command = mlvc.get_command(click.Context(mlvc), verb)
    assert command.help
    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    assert all("Example" in (leaf.epilog or "") for leaf in leaves)


def test_the_shapes_that_json_prints_are_described(repository):
    page = (PAGE.parent / "cli-json.md").read_text(encoding="utf-8")
    shown = [repository.json("show", "m:v0"), repository.json("oplog")[0], repository.json("ls")[0], repository.json("status")]
    missing = [name for document in shown for name in document if f"`{name}`" not in page]
    assert missing == []
