"""Every page answers, says what there is, and shows what users wrote as text."""

from __future__ import annotations

import io
import re

import pytest
from asked_pages import HOSTILE, Browser, publish, record

from mlvc.workspace import registry


def test_every_page_that_a_link_leads_to_is_there(browser):
    waiting, seen = ["/", "/runs", "/artifacts", "/registry", "/openapi.json"], set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = browser.get(address)
        assert answer.status == 200, f"{address}: {answer.text[-400:]}"
        if answer.headers["content-type"].startswith("text/html"):
            waiting += browser.links(answer.text)
    assert len(seen) > 60


def test_empty_pages_say_what_to_type(empty):
    assert "mlvc add data" in empty.page("/")
    assert "mlvc run --" in empty.page("/runs")
    assert "mlvc add data" in empty.page("/artifacts")
    assert "mlvc link" in empty.page("/registry")


@pytest.mark.parametrize(
    "address",
    ["/nothing", "/artifacts/p/none", "/artifacts/p/net/v9", "/artifacts/p/net/v0/none", "/artifacts/p/net/v0/files/none", "/runs/p/none", "/registry/none", "/runs/p/x/none",
     "/lineage?of=artifact:" + "0" * 64, "/static/none.css", "/artifacts/p/net/v0/raw/../../x"],
)  # fmt: skip
def test_what_is_not_there_is_said_in_a_sentence(browser, address):
    answer = browser.get(address)
    assert answer.status == 404
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("address", ["/lineage", "/lineage?of=x", "/lineage?of=run:zz", "/runs/p?q=%3D%3D", "/runs/p?page=-1", "/runs/p?page=999999999999", "/runs/p?sort=config.none&group=x"])
def test_odd_questions_break_nothing(browser, address):
    assert browser.get(address).status in (200, 400)


def test_what_users_wrote_is_text_on_every_page(workspace):
    member = publish(workspace, "net", {f"{HOSTILE.replace('/', '')}.txt": HOSTILE.encode()}, metadata={HOSTILE: HOSTILE}, description=HOSTILE, tags=["t"])
    run = record(workspace, name=HOSTILE, config={HOSTILE: HOSTILE}, rows=[{HOSTILE: 1.0}], facts={"notes": HOSTILE, "job_type": HOSTILE, "group": HOSTILE}, uses=[(member.version, "net")])
    registry.link(workspace, member.version, "registry:model/best", ["production"], HOSTILE)
    browser = Browser(workspace)
    waiting, seen = ["/", "/runs", "/artifacts", "/registry", f"/runs/p/{run.label}"], set()
    while waiting:
        address = waiting.pop()
        if address in seen or "/raw/" in address or address.startswith("/static"):
            continue
        seen.add(address)
        answer = browser.get(address)
        assert answer.status == 200, address
        if answer.headers["content-type"].startswith(("text/html", "image/svg")):
            assert "<script>alert" not in answer.text, address
            waiting += browser.links(answer.text)
    assert len(seen) > 30


def test_runs_are_filtered_sorted_grouped_and_paged(workspace):
    for number in range(7):
        record(workspace, name=f"run{number}", config={"lr": number / 10, "kind": "even" if number % 2 == 0 else "odd"}, rows=[{"acc": number}])
    browser = Browser(workspace)

    def names(address):
        return re.findall(r">(run\d)</a>", browser.page(address))

    assert names("/runs/p") == [f"run{number}" for number in reversed(range(7))]
    assert names("/runs/p?q=config.lr%3E0.35+config.kind=even") == ["run6", "run4"]
    assert names("/runs/p?sort=config.lr") == [f"run{number}" for number in range(7)]
    assert names("/runs/p?sort=-summary.acc")[0] == "run6"
    grouped = browser.page("/runs/p?group=config.kind")
    assert re.search(r">even</a></td><td class=\"number\">4<", grouped)
    assert names("/runs/p?q=run3") == ["run3"]
    assert names("/runs/p?q=nonsense") == []
    assert "is no filter" in browser.page("/runs/p?q=config.lr%3E")
    assert names("/runs/p?q=config.lr%3E") == []
    assert names("/runs/p?page=99") == names("/runs/p")
    assert "No closing quotation" in browser.page("/runs/p?q=%27")
    record(workspace, name="spaced", config={"kind": "with space"})
    link = next(one for one in browser.links(browser.page("/runs/p?group=config.kind")) if "with" in one)
    assert ">spaced</a>" in browser.page(link)


def test_a_comparison_marks_where_configs_differ(workspace):
    runs = [record(workspace, name=f"r{number}", config={"lr": number, "same": 1}, rows=[{"acc": number}]) for number in range(2)]
    text = Browser(workspace).page(f"/compare?run=p/{runs[0].label}&run=p/{runs[1].label}")
    assert re.search(r'class="differs"><td>lr', text)
    assert not re.search(r'class="differs"><td>same', text)


def test_files_are_looked_into_by_kind(workspace):
    files = {
        "a.txt": b"line\n", "b.json": b'{"k": [1, 2]}', "c.csv": b"x,y\n1,2\n3,4\n", "d.png": b"\x89PNG broken", "e.html": b"<b>bold</b><script>1</script>", "f.bin": b"\0\1\2",
        "g.wav": b"RIFF", "long.txt": b"z" * 100_000, "odd.csv": b'"unclosed', "bad.json": b"{", "deep/h.md": b"# h\n", "latin.txt": b"caf\xe9",
    }  # fmt: skip
    publish(workspace, "many", files)
    browser = Browser(workspace)

    def shown(path):
        return browser.page(f"/artifacts/p/many/v0/files/{path}")

    assert "line" in shown("a.txt")
    assert "&#34;k&#34;" in shown("b.json")
    assert "<td>3</td>" in shown("c.csv")
    assert "<img" in shown("d.png")
    assert 'sandbox=""' in shown("e.html")
    assert "<script>1" not in shown("e.html")
    assert "00 01 02" in shown("f.bin")
    assert "<audio" in shown("g.wav")
    assert "(100,000 characters)" in shown("long.txt")
    assert "63 61 66 e9" in shown("latin.txt")
    for path in ("odd.csv", "bad.json", "deep/h.md"):
        shown(path)
    listing = browser.page("/artifacts/p/many/v0/files?in=deep")
    assert "h.md" in listing
    assert "a.txt" not in listing


def test_a_parquet_table_is_paged_with_statistics(workspace):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    parquet.write_table(pyarrow.table({"n": list(range(250)), "t": [f"w{n}" for n in range(250)]}), out)
    publish(workspace, "table", {"t.parquet": out.getvalue(), "broken.parquet": b"PAR1 no"})
    browser = Browser(workspace)
    first = browser.page("/artifacts/p/table/v0/files/t.parquet")
    assert "250 rows" in first
    assert "0 … 249" in first
    assert "<td>w100</td>" in browser.page("/artifacts/p/table/v0/files/t.parquet?page=1")
    assert "cannot be read" in browser.page("/artifacts/p/table/v0/files/broken.parquet")


def test_versions_are_compared_file_by_file(workspace):
    publish(workspace, "net", {"a": b"1", "b": b"2"}, metadata={"acc": 1})
    publish(workspace, "net", {"a": b"1", "b": b"3", "c": b"4"}, metadata={"acc": 2})
    text = Browser(workspace).page("/artifacts/p/net/v1/compare/v0")
    assert "2 differ" in text
    assert 'class="modified"' in text
    assert 'class="added"' in text
    assert "<td>acc</td><td>1</td><td>2</td>" in text


def test_logged_media_is_shown_by_key_and_step(workspace):
    image = {"_type": "image-file", "path": "media/images/a.png", "caption": "one"}
    several = {"_type": "images/separated", "filenames": ["media/images/b.png", "media/images/c.png"], "captions": ["two", "three"], "count": 2}
    run = record(workspace, rows=[{"loss": 1.0, "sample": image}, {"many": several, "sound": {"_type": "audio-file", "path": "media/a.wav"}}, {"odd": {"_type": "x"}, "page": {"_type": "html-file", "path": "p.html"}}])
    text = Browser(workspace).page(f"/runs/p/{run.label}/media")
    assert text.count("<img") == 3
    assert all(caption in text for caption in ("one", "two", "three", "step 1"))
    assert "<audio" in text
    assert 'sandbox=""' in text


def test_tables_are_compared_row_by_row(workspace):
    publish(workspace, "t", {"t.csv": b"id,v\n1,a\n2,b\n3,c\n"})
    publish(workspace, "t", {"t.csv": b"id,v\n3,c\n1,a\n2,B\n4,d\n"})
    text = Browser(workspace).page("/artifacts/p/t/v1/compare/v0")
    assert "2 rows added, 1 removed" in text
    assert '<tr class="removed"><td>removed</td><td>2</td><td>b</td></tr>' in text
    assert '<tr class="added"><td>added</td><td>4</td><td>d</td></tr>' in text


def test_a_tensor_shows_how_its_numbers_are_spread(workspace):
    import numpy as np

    out = io.BytesIO()
    np.save(out, np.array([0.0, 1.0, 2.0, np.nan], dtype=np.float32))
    publish(workspace, "net", {"w.npy": out.getvalue()})
    browser = Browser(workspace)
    link = next(one for one in browser.links(browser.page("/artifacts/p/net/v0/tensors")) if "/tensor?" in one)
    text = browser.page(link)
    assert "<dt>Mean</dt><dd>1</dd>" in text
    assert '<dd class="warn">1</dd>' in text
    assert text.count("<rect") == 40
    assert browser.get("/artifacts/p/net/v0/tensor?file=w.npy&name=none").status == 404


def test_a_console_is_shown_as_a_terminal_would(workspace):
    run = record(workspace, finish=False)
    (workspace.runs_folder / run.id.hex() / "console").write_bytes(b"\x1b[31mred\x1b[0m\n10%\r90%\rdone\n" + b"x" * 10_000 + b"\n")
    text = Browser(workspace).page(f"/runs/p/{run.label}/logs")
    assert "red\ndone\n" in text
    assert "(10,000 characters)" in text
    run.finish(0)


def test_lineage_has_the_same_nodes_as_picture_and_list_and_groups_many_alike(workspace):
    data = publish(workspace, "data", {"x": b"1"}, kind="dataset")
    for number in range(8):
        record(workspace, name=f"user{number}", uses=[(data.version, "data")])
    browser = Browser(workspace)
    text = browser.page("/artifacts/p/data/v0/lineage")
    assert "8 runs" in text
    opened = next(one for one in browser.links(text) if "open=" in one)
    inside = browser.page(opened)
    assert inside.count('class="box run') == 8
    assert inside.count('<tr data-key="run:') == 8
    for kind, start in (("svg", "<svg"), ("dot", "digraph"), ("mermaid", "flowchart")):
        download = next(one for one in browser.links(text) if one.startswith(f"/lineage.{kind}?"))
        assert browser.get(download).text.startswith(start)
    assert opened.startswith("/artifacts/p/data/v0/lineage?"), "a tab stays what it is"
    assert browser.get(next(one for one in browser.links(text) if one.startswith("/lineage.png?"))).data.startswith(b"\x89PNG")


def test_a_link_shows_who_linked_it_and_its_source_who_made_it(filled):
    from mlvc.workspace.workspace import Workspace

    other = Workspace.find(filled.root, {"MLVC_USER": "Bob <bob@example.org>"})
    member = publish(filled, "net2", {"w": b"2"})
    registry.link(other, member.version, "registry:model/best", [], "link")
    other.close()
    browser = Browser(filled)
    listed = re.search(r"<tr><td><a href=\"/registry/best/v1\">.*?</tr>", browser.page("/registry/best"), re.DOTALL)[0]
    assert "Bob" in listed
    assert "Ada" not in listed
    assert "Ada" in browser.page("/artifacts/p/net2")


def test_a_conflict_shows_both_sides(filled, tmp_path):
    from mlvc.workspace import exchanging

    exchanging.add_remote(filled, "origin", str(tmp_path / "remote"))
    exchanging.push(filled)
    other, _ = exchanging.clone(str(tmp_path / "remote"), tmp_path / "other", {"MLVC_USER": "Bob <bob@example.org>"})
    for one, label in ((filled, "a"), (other, "b")):
        member = publish(one, f"net-{label}", {"w": label.encode()})
        registry.link(one, member.version, "registry:model/best", ["production"], "link")
    exchanging.push(other)
    exchanging.pull(filled)
    browser = Browser(filled)
    assert "conflict" in browser.page("/")
    text = browser.page("/registry/best")
    assert "production is in conflict" in text
    version = re.search(r'name="version" value="([0-9a-f]{64})"><input type="hidden" name="alias"', text.replace("\n", ""))[1]
    assert browser.send("decide", collection="registry:model/best", version=version, alias="production").status == 303
    assert "in conflict" not in browser.page("/registry/best")


def test_a_table_that_got_a_column_is_compared_in_the_others(workspace):
    publish(workspace, "t", {"t.csv": b"id,v\n1,a\n2,b\n3,c\n"})
    publish(workspace, "t", {"t.csv": b"new,id,v\nx,1,a\ny,2,B\nz,3,c\n"})
    text = Browser(workspace).page("/artifacts/p/t/v1/compare/v0")
    assert "columns added: new" in text
    assert "1 rows added, 1 removed" in text


def test_a_name_that_no_run_has_is_told_with_what_was_meant(workspace):
    record(workspace, name="a", config={"lr": 1}, rows=[{"loss": 0.5}])
    browser = Browser(workspace)
    assert "is it summary.loss?" in browser.page("/runs/p?q=loss%3C1")
    assert "is it config.lr?" in browser.page("/runs/p?sort=lr")
    assert "no run has anything" not in browser.page("/runs/p?sort=config.lr&q=state%3Dfinished")


def test_default_columns_are_those_that_tell_runs_apart(workspace):
    for number in range(4):
        record(workspace, name=f"r{number}", config={"lr": number, "same": 1}, rows=[{"loss": number}])
    record(workspace, name="odd", config={"rare": 1}, rows=[{"strange": 1, "other": 2, "more": 3, "least": 4, "most": 5, "last": 6}])
    heads = re.findall(r'title="([^"]*)"  ?(?:aria|>)', Browser(workspace).page("/runs/p"))
    assert heads[0] == "summary.loss"
    assert "config.lr" in heads


def test_uncommitted_texts_are_shown_before_what_is_binary(workspace):
    from mlvc.web import patches

    binary = b"diff --git a/x.png b/x.png\nnew file mode 100644\nindex 0..1\nGIT binary patch\nliteral 5000\n" + b"z" * 5_000 + b"\n"
    text = b"diff --git a/t.py b/t.py\n--- a/t.py\n+++ b/t.py\n@@ -1 +1 @@\n-a\n+b\n"
    shown, is_cut = patches.readable(binary + text, 1_000)
    assert shown.startswith("diff --git a/t.py")
    assert shown.endswith("binary, not shown\n")
    assert not is_cut
    assert patches.readable(text * 100, 1_000)[1]


def test_logged_histograms_are_drawn(workspace):
    good = {"_type": "histogram", "values": [1, 4, 2], "bins": [0, 1, 2, 3]}
    odd = [{"_type": "histogram", "values": value} for value in ("x", [], ["a"], [-1], [1] * 5_000, None)]
    run = record(workspace, rows=[{"weights": good, **{f"odd{number}": value for number, value in enumerate(odd)}}])
    text = Browser(workspace).page(f"/runs/p/{run.label}/media")
    assert text.count('class="bars"') == 1
    assert text.count("<rect") == 3
    assert "0 … 3" in text


def test_compared_runs_tell_nested_values_apart(workspace):
    first = record(workspace, name="same name", config={"opt": {"name": "adam", "lr": 1}, "none": None})
    second = record(workspace, name="same name", config={"opt": {"name": "adam", "lr": 2}})
    text = Browser(workspace).page(f"/compare?run=p/{first.label}&run=p/{second.label}")
    assert re.search(r'<tr class="differs"><td>opt\.lr', text)
    assert "1 is the same in all" in text
    assert f"same name {first.label}" in text
