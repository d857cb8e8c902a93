"""The pages in docs/format say what the code does: each operation, record kind, control act and limit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from mlvc.format import (
    chunk,
    entry_path,
    journal_entry,
    manifest,
    names,
    operations,
    pack,
    sorted_blocks,
    transaction,
    values,
)
from mlvc.format.record import Kind
from mlvc.objects import cutting
from mlvc.repository import commit
from mlvc.runs import event_log
from mlvc.working_tree import lock_file

PAGES = Path(__file__).parents[2] / "docs" / "format"


def page(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def operations_on_the_page() -> dict[str, dict[str, bool]]:
    """Returns operation -> part -> whether it has no default."""
    found: dict[str, dict[str, bool]] = {}
    for section in re.split(r"^### ", page("transactions.md"), flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        for kind in re.findall(r"`(\w+)`", heading):
            found[kind] = {}
            for cell in re.findall(r"^\| (`[^|]*) \|", body, flags=re.MULTILINE):
                only = re.search(r"\(`(\w+)` only\)", cell)
                if only is None or only[1] == kind:
                    found[kind] |= {part: bool(star) for part, star in re.findall(r"(?<!\()`(\w+)`(\*?)", cell)}
    return found


def test_each_operation_stands_on_its_page_with_each_of_its_parts():
    in_code = {
        kind.kind: {part.name: part.required for part in fields(kind)}
        for kind in operations._KNOWN.values()
    }

    assert operations_on_the_page() == in_code


def test_each_kind_of_record_stands_on_its_page_with_its_code():
    rows = re.findall(r"^\| `(\w)` \| (\d+) \|", page("records.md"), flags=re.MULTILINE)

    assert {(byte, int(code)) for byte, code in rows} == {(kind.value.decode(), kind.code) for kind in Kind}


def test_each_control_act_stands_on_its_page():
    text = page("journal.md")

    for kind in journal_entry._UNDERSTOOD:
        assert f"`{kind}`" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunks.md", cutting.WHOLE_BELOW),
        ("chunks.md", cutting.MIN_SIZE),
        ("chunks.md", cutting.AVERAGE_SIZE),
        ("chunks.md", cutting.LARGEST),
        ("chunks.md", cutting.PIECE),
        ("chunks.md", chunk.MAX_SIZE),
        ("manifests.md", sorted_blocks.MAX_BLOCK_ENTRIES),
        ("transactions.md", transaction.MAX_SIZE),
        ("transactions.md", transaction.MAX_AFTER),
        ("journal.md", journal_entry.MAX_TRANSACTIONS),
        ("records.md", values.MAX_INLINE_VALUE),
        ("names.md", names.MAX_NAME),
        ("names.md", entry_path.MAX_PATH_BYTES),
        ("names.md", entry_path.MAX_COMPONENT_BYTES),
        ("packs.md", pack.HEADER.size),
        ("packs.md", pack.TRAILER.size),
    ],
)
def test_limits_on_the_pages_are_those_of_the_code(name: str, value: int):
    assert re.search(rf"(?<![\d,]){value:,}(?![\d,])", page(name)), f"{name} does not mention {value:,}"


def test_sizes_on_the_pages_are_those_of_the_code():
    assert (pack.TARGET_SIZE, chunk.MAX_RECORD_SIZE, commit.MAX_INLINE_MAP) == (64 << 20, 64 << 20, 32 << 10)
    assert "64 MiB" in page("packs.md")
    assert "64 MiB" in page("records.md")
    assert "32 KiB" in page("records.md")
    assert journal_entry.MAX_SIZE == 8 << 20
    assert "8 MiB" in page("journal.md")


def test_the_lock_files_first_line_is_the_one_on_its_page():
    assert lock_file._HEADER.strip() in page("lock-file.md")


def test_encodings_of_chunks_are_those_on_the_page():
    rows = re.findall(r"^\| (\d) \| (\w+) \|", page("chunks.md"), flags=re.MULTILINE)

    known = {"raw": chunk.RAW, "zstd": chunk.ZSTD, "planes": chunk.PLANES, "difference": chunk.DIFFERENCE}
    assert rows == [(str(number), name) for name, number in known.items()]


def test_a_run_logs_first_bytes_are_those_on_the_page():
    assert b"MLVCL" + bytes([1, 0, 0]) == event_log._HEADER
    assert "`MLVCL`" in page("runs.md")


def test_tables_are_written_as_the_kinds_on_the_page():
    assert (manifest.TABLE.index.value, manifest.TABLE.block.value) == (b"M", b"m")


DOCUMENTS = sorted([*PAGES.parents[1].glob("*.md"), *PAGES.parent.rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(document: Path):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in t]

    assert [target for target in targets if not (document.parent / target).exists()] == []
