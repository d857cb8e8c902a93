"""Charts: the tables that `wandb.plot`'s functions make, and what a run keeps of them."""

import numpy as np
import pytest

import mlvc as wandb

pytest.importorskip("pyarrow", reason="pip install 'mlvc[media]'")


def test_simple_charts_name_the_columns_they_draw():
    table = wandb.Table(columns=["a", "b", "c"], data=[[1, 2, "x"]])
    assert wandb.plot.bar(table, "c", "a", title="t").said() == {
        "_type": "custom-chart",
        "kind": "bar",
        "fields": {"label": "c", "value": "a"},
        "title": "t",
    }
    assert wandb.plot.line(table, "a", "b", stroke="c").fields == {"x": "a", "y": "b", "stroke": "c"}
    assert wandb.plot.scatter(table, "a", "b").kind == "scatter"
    assert wandb.plot.histogram(table, "a").fields == {"value": "a"}
    with pytest.raises(ValueError, match="no column 'z'"):
        wandb.plot.scatter(table, "a", "z")


def test_line_series_take_one_axis_or_one_for_each_line():
    assert wandb.plot.line_series([0, 1], [[5, 6], [7, 8]], keys=["p", "q"]).table.data == [[0, "p", 5], [1, "p", 6], [0, "q", 7], [1, "q", 8]]
    assert wandb.plot.line_series([[0], [9]], [[5], [7]]).table.data == [[0, "line_0", 5], [9, "line_1", 7]]
    with pytest.raises(ValueError, match="must match"):
        wandb.plot.line_series([0], [[1]], keys=["a", "b"])


def test_a_confusion_matrix_counts():
    chart = wandb.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 0, 1], class_names=["cat", "dog"])
    assert chart.table.data == [["cat", "cat", 1], ["cat", "dog", 0], ["dog", "cat", 1], ["dog", "dog", 1]]
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    assert wandb.plot.confusion_matrix(probs=scores, y_true=[0, 1, 1], class_names=["cat", "dog"]).table.data == chart.table.data
    assert wandb.plot.confusion_matrix(y_true=["a"], preds=["b"]).table.data == [["a", "a", 0], ["a", "b", 1], ["b", "a", 0], ["b", "b", 0]]
    for wrong in ({"y_true": [0]}, {"y_true": [0], "preds": [0], "probs": [[1]]}, {"y_true": [0], "preds": [0, 1]}):
        with pytest.raises(ValueError, match=r"(either|must match)"):
            wandb.plot.confusion_matrix(**wrong)
    with pytest.raises(ValueError, match="has no name"):
        wandb.plot.confusion_matrix(y_true=[0, 5], preds=[0, 1], class_names=["cat", "dog"])


def test_curves_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(0)
    true = chance.integers(0, 3, 200)
    scores = np.round(chance.dirichlet(np.ones(3), 200) + np.eye(3)[true] * 0.3, 2)
    rows = wandb.plot.roc_curve(true, scores, labels=["a", "b", "c"], classes_to_plot=["b"]).table.data
    fpr, tpr, _ = metrics.roc_curve(true == 1, scores[:, 1], drop_intermediate=False)
    assert {row[0] for row in rows} == {"b"}
    assert np.allclose([row[1:] for row in rows], np.stack([fpr, tpr], axis=1))
    best = [row[1] for row in wandb.plot.pr_curve(true, scores).table.data if row[0] == "1"]
    assert len(best) == 21
    assert best == sorted(best, reverse=True)
    precision, recall, _ = metrics.precision_recall_curve(true == 1, scores[:, 1])
    assert best[10] == pytest.approx(max(precision[recall >= 0.5]), abs=0.001)


def test_a_logged_chart_keeps_its_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with wandb.init() as run:
        run.log({"bars": wandb.plot.bar(wandb.Table(columns=["l", "v"], data=[["a", 1]]), "l", "v")})
    (row,) = wandb.Api().run(run.id).scan_history()
    assert (row["bars"]["kind"], row["bars"]["table"]["nrows"]) == ("bar", 1)
    assert wandb.Api().artifact(row["bars"]["table"]["artifact"]).get("bars_table").data == [["a", 1]]


def test_modules_that_scripts_reach_as_attributes_are_there():
    assert wandb.data_types.Table is wandb.Table
    assert len(wandb.util.generate_id()) == 8
    assert wandb.integration.keras is wandb.keras
