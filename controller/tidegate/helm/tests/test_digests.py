"""Checksums are those that upstream's code computes: testdata/digests.json is what it gave for these records."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.helm import digests
from tidegate.helm.release.record import Hook, Record

VECTORS = json.loads((Path(__file__).parent / "testdata" / "digests.json").read_text())
EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["id"]) for one in VECTORS])
def test_checksums_are_those_of_flux(vector: dict[str, Any]):
    record = msgspec.convert(vector["record"], Record)

    assert digests.of_record(record) == vector["digest"]
    assert digests.of_values(record.config) == vector["config"]


def test_no_values_are_the_checksum_of_nothing():
    assert digests.of_values({}) == EMPTY


def test_a_helm_test_that_ran_changes_no_checksum():
    record = Record(name="web", hooks=[Hook(name="t", events=["test"])])

    assert digests.of_record(record) == digests.of_record(Record(name="web"))


def test_the_digest_of_the_registry_counts():
    assert digests.of_record(Record(name="web"), "sha256:1") != digests.of_record(Record(name="web"))
