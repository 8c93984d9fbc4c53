import pytest
import yaml

from hack.demo.acts import releases
from hack.demo.stage import charts
from hack.testbed.pipeline import TOKEN, UnknownToken, replace_tokens


def test_the_pipeline_has_a_fact_for_each_token_of_the_chart() -> None:
    head = charts.application("appa")["Chart.yaml"]

    assert set(TOKEN.findall(head)) == {charts.NUMBER, charts.COMMIT}
    filled = replace_tokens(head, {charts.NUMBER: releases.FIRST, charts.COMMIT: "a1b2c3d"})
    assert yaml.safe_load(filled)["version"] == releases.FIRST
    with pytest.raises(UnknownToken):
        replace_tokens(head, {charts.NUMBER: releases.FIRST})


def test_a_release_is_one_file_that_names_chart_version_and_source() -> None:
    (text,) = charts.release("appa", "158.0.0", charts.COMPANY, {"replicas": 3}).values()

    spec = yaml.safe_load(text)["spec"]
    source = {"kind": "HelmRepository", "name": charts.COMPANY}
    assert spec["chart"]["spec"] == {"chart": "appa", "version": "158.0.0", "sourceRef": source}
    assert spec["values"] == {"replicas": 3}


def test_the_mistake_is_one_that_the_schema_of_the_chart_forbids() -> None:
    schema = yaml.safe_load(charts.application("appa")["values.schema.json"])

    assert schema["properties"]["replicas"]["type"] == "integer"
    assert not isinstance(releases.MISTAKE["replicas"], int)
