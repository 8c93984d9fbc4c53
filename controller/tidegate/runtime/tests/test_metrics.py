"""Metrics under the names that dashboards know."""

from tidegate.runtime import metrics


def exposed() -> str:
    return metrics.render()[0].decode()


def test_buckets_are_those_of_flux():
    assert len(metrics.DURATION_BUCKETS) == 10
    assert (metrics.DURATION_BUCKETS[0], round(metrics.DURATION_BUCKETS[-1], 6)) == (0.01, 1800)


def test_series_of_an_object_goes_with_the_object():
    metrics.RECONCILE_DURATION.labels("Thing", "one", "default").observe(1)
    assert 'gotk_reconcile_duration_seconds_count{kind="Thing",name="one",namespace="default"} 1.0' in exposed()

    metrics.forget_object("Thing", "one", "default")
    metrics.forget_object("Thing", "one", "default")

    assert 'kind="Thing",name="one"' not in exposed()


def test_there_are_no_series_that_go_does_not_have():
    metrics.RECONCILES.labels(controller="x", result="success").inc()

    assert "_created" not in exposed()
