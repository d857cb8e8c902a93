"""What nobody would log, and somebody does: pages stay small, fast and whole."""

from __future__ import annotations

import io
import json
import random
import re
from urllib.parse import quote

import numpy as np
import pytest
from asked_pages import Browser, publish, record

from mlvc.format.ids import RunId
from mlvc.format.operations import RunHead
from mlvc.web import export, table_pages
from mlvc.workspace import registry

LARGE_PAGE = 2 << 20


def file_page(workspace, name, data):
    publish(workspace, "odd", {name: data})
    answer = Browser(workspace).get(f"/artifacts/p/odd/v0/files/{name}")
    assert answer.status == 200, answer.text[-300:]
    assert len(answer.data) < LARGE_PAGE
    return answer.text


def test_deep_json_is_cut_where_indentation_would_make_it_gigabytes(workspace):
    assert "The rest is not shown" in file_page(workspace, "d.json", b"[" * 850 + b",".join([b"1"] * 200_000) + b"]" * 850)


def test_wide_tables_show_their_first_columns(workspace):
    text = file_page(workspace, "c.csv", (b",".join([b"1"] * 5_000) + b"\n") * 120)
    assert "4,800 more columns are not shown" in text
    assert text.count("<th>") == table_pages.MOST_COLUMNS
    publish(workspace, "long", {"l.csv": b"x" * 3_000_000})
    assert "more than a million characters" in Browser(workspace).page("/artifacts/p/long/v0/files/l.csv")


def parquet(table, **options):
    parquet_module = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    parquet_module.write_table(table, out, **options)
    return out.getvalue()


def test_a_parquet_file_is_decoded_no_further_than_it_is_shown(workspace):
    pyarrow = pytest.importorskip("pyarrow")
    zeros = pyarrow.table({"a": pyarrow.array(np.zeros(3_000_000, dtype=np.int64))})
    assert "3,000,000 rows" in file_page(workspace, "z.parquet", parquet(zeros, row_group_size=3_000_000, compression="zstd"))
    publish(workspace, "heavy", {"h.parquet": parquet(pyarrow.table({"a": ["x" * 5_000_000] * 3, "b": [1, 2, 3]}), compression="zstd")})
    text = Browser(workspace).page("/artifacts/p/heavy/v0/files/h.parquet")
    assert "<td>3</td>" in text
    assert "1 more columns are not shown" in text


def test_small_pictures_in_cells_are_shown_and_large_ones_named(workspace):
    pyarrow = pytest.importorskip("pyarrow")
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    text = file_page(workspace, "p.parquet", parquet(pyarrow.table({"i": [{"bytes": picture, "path": "a.png"}, {"bytes": picture + bytes(100_000), "path": "large.png"}], "t": ["data:text/html,x", "y"]})))
    assert text.count('<img class="cell"') == 1
    assert "large.png (100,108 bytes)" in text
    assert "<td>data:text/html,x</td>" in text


@pytest.mark.parametrize("kind", ["us", "s"])
def test_times_that_no_calendar_has_do_not_cost_the_page(workspace, kind):
    pyarrow = pytest.importorskip("pyarrow")
    file_page(workspace, "t.parquet", parquet(pyarrow.table({"t": pyarrow.array([2**62], pyarrow.timestamp(kind) if kind == "us" else pyarrow.duration(kind))})))


def test_half_a_character_costs_no_page(workspace):
    file_page(workspace, "s.json", b'{"a": "\\ud800"}')


@pytest.mark.parametrize("values", [np.full((4, 4), np.finfo(np.float32).min, np.float32), np.full(4, 2**60), np.array([1e308, -1e308]), np.array([np.nan, np.inf]), np.zeros(0), np.zeros((), np.float16)])
def test_tensors_of_any_numbers_have_a_page(workspace, values):
    out = io.BytesIO()
    np.save(out, values)
    publish(workspace, "odd", {"w.npy": out.getvalue()})
    browser = Browser(workspace)
    for link in browser.links(browser.page("/artifacts/p/odd/v0/tensors")):
        if "/tensor?" in link:
            browser.page(link)


def test_a_file_with_a_line_end_in_its_name_has_a_page(workspace):
    publish(workspace, "odd", {"a\nb": b"text"})
    assert "text" in Browser(workspace).page("/artifacts/p/odd/v0/files/a%0Ab")


def test_a_damaged_file_is_said_in_words_and_not_sent_in_half(workspace):
    publish(workspace, "odd", {"a.png": bytes(range(256)) * 4_000})
    workspace.close()
    for pack in (workspace.repository.path / "packs" / "data").iterdir():
        data = bytearray(pack.read_bytes())
        data[100:600] = bytes(500)
        pack.chmod(0o644)
        pack.write_bytes(data)
    answer = Browser(workspace).get("/artifacts/p/odd/v0/raw/a.png")
    assert answer.status >= 400
    assert "hint" in answer.text or "mlvc fsck" in answer.text


def test_an_export_keeps_pages_apart_from_files_of_the_same_name(workspace, tmp_path):
    publish(workspace, "index.html", {"index.html": b"<b>mine</b>", "_index.html": b"other"})
    publish(workspace, "raw", {"raw": b"x", "a.svg": b"<svg/>"})
    said = []
    export.export(workspace, tmp_path / "site", said.append)
    assert said == []
    found = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert "artifacts/p/_index.html/v0/files/_index.html/index.html" in found
    assert "artifacts/p/raw/v0/index.html" in found
    assert not any(name.endswith((".svg", ".htm")) and not name.startswith("static/") for name in found), "users' pages become texts"


def test_an_export_says_what_is_too_large_and_reads_none_of_it(workspace, tmp_path):
    publish(workspace, "film", {"f.mp4": bytes(9_000_000)})
    said = []
    export.export(workspace, tmp_path / "site", said.append)
    assert said == ["left out: /artifacts/p/film/v0/raw/f.mp4 (too large)"]


def test_an_address_is_a_host_where_any_address_was_asked_for(filled):
    from mlvc.web.application import application
    from mlvc.web.asking import Asker
    from mlvc.web.site import Site

    asker = Asker(application(Site(filled), token="t", any_address=True))
    assert asker.ask("/?token=t", headers={"host": "192.168.1.5:5151"}).status == 303
    assert asker.ask("/?token=t", headers={"host": "[fe80::1]:5151"}).status == 303
    assert asker.ask("/?token=t", headers={"host": "evil.example"}).status == 421
    assert asker.ask("//evil.example/?token=t", headers={"host": "192.168.1.5"}).headers["location"].startswith("/evil.example")
    without = Asker(application(Site(filled), any_address=True))
    assert without.ask("/", headers={"host": "192.168.1.5"}).status == 421


def test_a_huge_form_and_an_odd_origin_are_refused(browser):
    assert browser.send("describe", collection="p/net", description="x" * 2_000_000).status == 413
    assert browser.send("describe", origin="http://[::1", collection="p/net", description="x").status == 403


def test_a_version_s_history_is_its_own(workspace):
    members = [publish(workspace, "net", {"w": bytes([number])}) for number in range(12)]
    for member in (members[6], members[10]):
        registry.link(workspace, member.version, "registry:model/best", [], "link")
    registry.set_aliases(workspace, "registry/best:v1", ["staging"], "alias")
    browser = Browser(workspace)
    assert "staging" not in browser.page("/registry/best/v0/history").partition('class="log"')[2]
    assert "staging" in browser.page("/registry/best/v1/history").partition('class="log"')[2]


def test_facts_of_any_kind_and_a_console_of_one_line_break_no_page(workspace):
    run = record(workspace, facts={"job_type": "train", "git": {"left_out": [["a", "b"]], "commit": "c" * 40}, "command": ["x"] * 1_000}, finish=False)
    (workspace.runs_folder / run.id.hex() / "console").write_bytes(b"y" * 10_000_000)
    browser = Browser(workspace)
    for tab in ("", "/overview", "/config", "/system", "/logs", "/code", "/data"):
        assert len(browser.page(f"/runs/p/{run.label}{tab}")) < LARGE_PAGE
    assert json.loads(browser.page(f"/api/v1/runs/p/{run.label}/console?start=9999990"))["text"] == "y" * 10
    run.finish(0)


def test_an_address_that_asks_for_too_much_is_refused(workspace):
    record(workspace, name="a")
    browser = Browser(workspace)
    assert browser.get("/runs/p?" + "&".join(f"col=c{number}" for number in range(8_000))).status == 400
    assert browser.get("/runs/p?q=" + "n+" * 900).text.count("at most 50") == 1
    assert browser.get("/api/v1/runs?filter=a%3D" + "[" * 30_000).status == 200
    assert browser.get("/runs/p?q=a%3D" + "[" * 1_500).status == 200


def test_facts_that_are_not_what_they_must_be_hide_nothing(workspace):
    record(workspace, name="good", rows=[{"x": 1}])
    odd = ['"x"', "[1]", "1e18", "-5", '"Infinity"', "{{{", "253402300800000", "null", "1e400"]
    for number, value in enumerate(odd):
        facts = {"name": f'"odd{number}"', "created_ms": value, "runtime_s": value, "git": value, "command": value, "state": value, "metrics": value}
        with workspace.committing("stranger") as commit:
            commit.say(RunHead(RunId(bytes([number]) * 16), "p", f"odd{number}", (), facts, {"k": value}, {"k": value}))
    browser = Browser(workspace)
    browser.page("/")
    for address in ("/runs/p", "/runs/p?sort=created_ms", "/runs/p?group=state", "/api/v1/runs"):
        assert "good" in browser.page(address)
    for number in range(len(odd)):
        for tab in ("", "/overview", "/config", "/code", "/data", "/logs", "/system", "/lineage"):
            browser.page(f"/runs/p/odd{number}{tab}")


@pytest.mark.parametrize(("headers", "status"), [
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty"}, 403),
    ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 403),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, 403),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 200),
    ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 200),
    ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 200),
])  # fmt: skip
def test_pages_elsewhere_cause_no_work(workspace, headers, status):
    assert Browser(workspace).asker.ask("/runs", headers=headers).status == status


def test_a_metric_may_be_called_like_an_attribute(workspace, tmp_path):
    record(workspace, name="odd", rows=[{'data-open="x" href="/runs"': 1.0, 'src="/a"': 2.0}])
    export.export(workspace, tmp_path / "site", lambda _: None)
    page = next((tmp_path / "site" / "runs" / "p").glob("*/index.html")).read_text()
    found = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert sorted(found["series"]) == ['data-open="x" href="/runs"', 'src="/a"']


@pytest.mark.parametrize("name", ["evil.xml", ".htaccess", "p.shtml", "x.xht", "d.mhtml", "a.svg", "a.HTML", "web.config", "no-ending", "n" * 250 + ".svg", "é" * 120 + ".csv"])
def test_an_exported_file_is_one_that_nothing_runs(name):
    found = export.file_of(f"/artifacts/p/a/v0/raw/{quote(name)}").rpartition("/")[2]
    assert found.lower().endswith((".txt", ".csv"))
    assert not found.startswith(".")
    assert len(found.encode()) <= 255


def test_a_damaged_parquet_file_ends_its_reader_and_nothing_else(workspace):
    pyarrow = pytest.importorskip("pyarrow")
    good = parquet(pyarrow.table({"a": [1, 2], "b": ["x", "y"]}))
    chance = random.Random(0)
    damaged = {}
    for number in range(40):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        damaged[f"{number}.parquet"] = bytes(data)
    crash = bytearray(good)
    crash[204] = 0  # ends the process that reads it with pyarrow 26
    publish(workspace, "bad", {**damaged, "crash.parquet": bytes(crash), "good.parquet": good})
    browser = Browser(workspace)
    for name in ("crash.parquet", *damaged, "good.parquet"):
        assert browser.get(f"/artifacts/p/bad/v0/files/{name}").status == 200
    assert "<td>y</td>" in browser.page("/artifacts/p/bad/v0/files/good.parquet")


def test_a_small_parquet_file_of_gigabytes_is_not_looked_at(workspace):
    pyarrow = pytest.importorskip("pyarrow")
    large = parquet(pyarrow.table({"a": pyarrow.array(["x" * 40_000_000] * 100).dictionary_encode()}))
    publish(workspace, "large", {"l.parquet": large})
    text = Browser(workspace).page("/artifacts/p/large/v0/files/l.parquet")
    assert len(text) < LARGE_PAGE
    assert "table" in text
