"""A repository with runs, artifacts, a registry and odd names, and its pages asked in this process."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from mlvc.web.application import application
from mlvc.web.asking import Asker
from mlvc.web.site import Site
from mlvc.workspace import publishing, registry, run_recording
from mlvc.workspace.draft import Draft
from mlvc.workspace.workspace import Workspace

ENVIRONMENT = {"MLVC_USER": "Ada <ada@example.org>"}
HOSTILE = '<script>alert("x")</script>'


def publish(workspace, name, files, *, kind="model", run=None, **more):
    draft = Draft(f"p/{name}", kind, dict(files), **more)
    if run is not None:
        return run.publish(draft, "log").member
    return publishing.publish(workspace, draft, "add").member


def record(workspace, *, name=None, config=None, rows=(), uses=(), facts=None, finish=True):
    run = run_recording.begin(workspace, project="p", name=name, config=config or {}, facts=facts or {"job_type": "train"})
    for version, reference in uses:
        run.use(version, reference)
    for step, row in enumerate(rows):
        run.log_values(step, row)
    if finish:
        run.finish(0)
    return run


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


class Browser:
    """Asks for pages as a browser would, and sends forms with what the page holds."""

    def __init__(self, workspace, **options):
        hosts, token = options.pop("hosts", ()), options.pop("token", None)
        self.site = Site(workspace, **options)
        self.asker = Asker(application(self.site, hosts=hosts, token=token))

    def get(self, address, **headers):
        return self.asker.ask(address, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def page(self, address):
        found = self.get(address)
        assert found.status == 200, f"{address}: {found.status} {found.text[-500:]}"
        return found.text

    def send(self, action, *, secret=None, origin="http://localhost", **fields):
        data = urlencode({"secret": self.site.secret if secret is None else secret, "back": "/", **fields}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(data))}
        if origin is not None:
            headers["origin"] = origin
        return self.asker.ask(f"/act/{action}", method="POST", headers=headers, data=data)

    def links(self, text):
        """Addresses in a page; of a lineage with more or fewer steps there is no end."""
        found = [one.replace("&amp;", "&") for one in re.findall(r'(?:href|src)="(/[^"]*)"', text)]
        return [one for one in found if not re.search(r"(?:up|down)=(?!4\b)", one)]


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
