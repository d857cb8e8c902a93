"""Makes versions and runs, and asks for the pages of a workspace in this process."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from mlvc.web.application import application
from mlvc.web.asking import Asker
from mlvc.web.site import Site
from mlvc.workspace import publishing, run_recording
from mlvc.workspace.draft import Draft

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
