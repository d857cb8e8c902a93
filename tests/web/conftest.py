"""A repository with runs, artifacts, a registry and odd names."""

from __future__ import annotations

import pytest
from asked_pages import ENVIRONMENT, HOSTILE, Browser, publish
from in_browser import CHROMIUM, EXPECTED

from mlvc.workspace import registry, run_recording
from mlvc.workspace.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "w").mkdir()
    made, _ = Workspace.create(tmp_path / "w", ENVIRONMENT, project="p")
    yield made
    made.close()


@pytest.fixture
def filled(workspace):
    """A dataset, a run that made a model of it, and the model in the registry."""
    data = publish(workspace, "data", {"labels.csv": b"a,b\n1,2\n", "deep/notes.txt": b"hello\n"}, kind="dataset", metadata={"rows": 1, "nested": {"a": [1]}})
    run = run_recording.begin(workspace, project="p", name="brisk", config={"lr": 0.1, "note": HOSTILE}, facts={"job_type": "train"})
    run.use(data.version, "data:latest")
    for step in range(5):
        run.log_values(step, {"loss": 1 / (step + 1), "acc": step / 5})
    model = publish(workspace, "net", {"w.bin": b"\0" * 100}, run=run)
    run.finish(0)
    registry.link(workspace, model.version, "registry:model/best", ["production"], "link")
    return workspace


@pytest.fixture
def browser(filled):
    made = Browser(filled)
    yield made
    made.asker.close()


@pytest.fixture
def empty(workspace):
    made = Browser(workspace)
    yield made
    made.asker.close()


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens pages whose console must stay silent."""
    contexts, said = [], []

    def opened(*, expected=(), beside=None, **options):
        context = beside.context if beside else chromium.new_context(viewport={"width": 1300, "height": 850}, **options)
        contexts.append(context)
        page = context.new_page()
        silent = (*EXPECTED, *expected)
        page.on("console", lambda message: said.append(f"{page.url}: {message.text}") if message.type in ("error", "warning") and not any(one in message.text for one in silent) else None)
        page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
