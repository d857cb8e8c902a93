"""Listings: a scan's files in little room, by path; and what adding makes of them."""

import os

from hypothesis import given
from hypothesis import strategies as st

from mlvc.objects.source_file import Looks, Seen
from mlvc.working_tree import scanning
from mlvc.working_tree.listing import Listing

numbers = st.integers(0, 2**62)
files = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.tuples(st.sampled_from(["below", "elsewhere"]), st.none() | st.builds(Looks, numbers, numbers, numbers, numbers)),
)


@given(files)
def test_a_listing_gives_back_what_the_scan_saw_in_the_order_of_paths(found):
    seen = {p: Seen(f"/top/{p}" if where == "below" else "/other/file", looks) for p, (where, looks) in found.items()}
    listing = Listing("/top", seen.items())
    assert list(listing) == sorted(seen.items(), key=lambda item: item[0])
    assert listing.paths == sorted(seen)
    assert len(listing) == len(seen)


def test_a_scan_yields_paths_as_a_manifest_sorts_them(tmp_path):
    for path in ("a/z", "a-b", "a.txt", "b", "a/b/c", "ab"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    paths = [path for path, _ in scanning.walk(tmp_path)]
    assert paths == sorted(paths) == ["a-b", "a.txt", "a/b/c", "a/z", "ab", "b"]


def test_a_touched_file_is_no_reason_for_a_new_publication(tree):
    tree.version("m.csv", b"content" * 1000)
    before = tree.transactions()
    os.utime(tree.root / "m.csv", ns=(10**18, 10**18))
    assert tree.add("m.csv").published is None
    assert tree.transactions() == before


def test_a_large_touched_file_neither(tree):
    tree.version("m.bin", os.urandom(3 << 20))
    before = tree.transactions()
    os.utime(tree.root / "m.bin", ns=(10**18, 10**18))
    assert tree.add("m.bin").published is None
    assert tree.transactions() == before


def test_a_renamed_file_is_a_new_version_that_stores_nothing_new(tree):
    for name in ("a", "b"):
        tree.write(f"data/{name}.csv", name * 10)
    tree.add("data")
    os.rename(tree.root / "data/a.csv", tree.root / "data/c.csv")
    assert tree.add("data").published.new_bytes == 0
    assert tree.changes() == []
    assert [member.number for member in tree.view.members("demo/data")] == [0, 1]
