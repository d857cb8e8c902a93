"""Runs in a notebook, in a real Jupyter kernel."""

import pytest

pytest.importorskip("ipykernel", reason="a Jupyter kernel comes with the group [test-all]")
manager = pytest.importorskip("jupyter_client.manager")


@pytest.fixture
def cell(folder):
    kernel, client = manager.start_new_kernel(kernel_name="python3", cwd=str(folder))

    def run(text: str) -> str:
        said = []
        reply = client.execute_interactive(text, timeout=60, output_hook=lambda m: said.append(m["content"].get("text", "")), allow_stdin=False)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(said)

    yield run
    client.stop_channels()
    kernel.shutdown_kernel(now=True)


def test_a_second_init_finishes_the_first_run(cell):
    cell("import mlvc as wandb; first = wandb.init(id='one'); first.log({'a': 1})")
    cell("second = wandb.init(id='two'); second.log({'a': 2})")
    assert cell("print({r.id: r.state for r in wandb.Api().runs()})").strip() == "{'one': 'finished', 'two': 'running'}"


def test_a_cell_run_again_may_change_the_config(cell):
    cell("import mlvc as wandb; run = wandb.init(); wandb.config.lr = 0.1")
    cell("wandb.config.lr = 0.2")
    cell("run.finish()")
    assert cell("print(wandb.Api().run(run.path).config)").strip() == "{'lr': 0.2}"
