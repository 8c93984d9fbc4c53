"""A HelmRelease from its first turn to its last: what is stored, said, counted and asked."""

import asyncio

import pytest
from aiohttp import web

from tidegate.helm.deletion import DeletionError
from tidegate.helm.release.tests.bed import Chart
from tidegate.helm.tests.bed import CHARTS, GOOD, HOLDING, HOOKED, KEY, RELEASES, a_desk
from tidegate.runtime.controller import Result
from tidegate.runtime.resources import CONFIG_MAPS, SECRETS
from tidegate.runtime.testing import loop as loops
from tidegate.runtime.testing.store import merge
from tidegate_api.meta.objects import ObjectKey

RETRIES = {"install": {"remediation": {"retries": 1}}}


async def test_a_chart_is_installed_and_said_to_be():
    async with a_desk() as desk:
        await desk.turn()

        assert desk.words == ["Ready=True InstallSucceeded", "Released=True InstallSucceeded"]
        assert desk.message("Ready") == "Helm install succeeded for release apps/web.v1 with chart web@1.0.0"
        assert desk.history == [(1, "deployed", "install")]
        assert desk.process.names(CONFIG_MAPS) == ["one"]
        assert desk.inventory == ["apps_one__ConfigMap"]
        assert (desk.status.helm_chart, desk.status.storage_namespace) == ("apps/apps-web", "apps")
        assert desk.events == ["HelmChartCreated", "InstallSucceeded"]
        assert desk.process.names(CHARTS) == ["apps-web"]


async def test_promise_3_a_second_turn_reads_no_more_than_the_values_and_writes_nothing():
    async with a_desk() as desk:
        await desk.turn()

        assert await desk.quietly() == []


async def test_a_new_process_looks_and_writes_nothing():
    async with a_desk() as first:
        await first.turn()
        async with a_desk(server=first.server) as second:
            assert await second.quietly() == ["GET /api/v1/namespaces/apps/secrets/sh.helm.release.v1.web.v1"]


async def test_promise_3_a_new_process_that_finds_all_in_order_says_nothing_however_slow_the_server():
    async with a_desk() as first:
        await first.turn()
        async with a_desk(server=first.server) as second, asyncio.TaskGroup() as group:
            answer = asyncio.Event()

            async def late(_request: web.Request) -> None:
                await answer.wait()

            second.server.faults.append(late)
            looking = group.create_task(second.quietly())
            await loops.until(lambda: not second.server.faults)
            for _ in range(3):
                loops.skip(1.1)
                await loops.settle()
            answer.set()
            asked = await looking

        assert [one for one in asked if not one.startswith("GET")] == []


async def test_other_values_are_an_upgrade_and_the_revision_before_is_superseded():
    async with a_desk() as desk:
        await desk.turn()
        desk.edit({"spec": {"values": {"replicas": 2}}})

        await desk.turn()

        assert desk.words == ["Ready=True UpgradeSucceeded", "Released=True UpgradeSucceeded"]
        assert desk.history == [(2, "deployed", "upgrade"), (1, "superseded", "install")]
        assert desk.status.last_attempted_generation == 2


async def test_f16_what_a_process_that_died_superseded_is_noted_with_what_is_deployed_now():
    async with a_desk() as first:
        await first.turn()
        before = first.server.store.get(RELEASES, KEY)["status"]["history"]
        first.edit({"spec": {"values": {"replicas": 2}}})
        await first.turn()
        noted = first.history
        first.edit({"status": {"history": before}})
        async with a_desk(server=first.server) as second:
            await second.turn()

            assert second.history == noted == [(2, "deployed", "upgrade"), (1, "superseded", "install")]


async def test_a_failed_install_without_retries_is_given_up_and_ready_says_why():
    async with a_desk() as desk:
        desk.render(HOOKED)

        await desk.turn(failing=["pre"])

        assert desk.words == [
            "Stalled=True RetriesExceeded",
            "Ready=False InstallFailed",
            "Released=False InstallFailed",
        ]
        assert desk.message("Stalled") == "Failed to install after 1 attempt(s)"
        assert desk.message("Ready").startswith("Helm install failed for release apps/web with chart web@1.0.0: failed")
        assert desk.failures == (1, 1, 0)
        assert desk.history == [(1, "failed", "install")]
        assert desk.results == [Result()]
        assert desk.events == ["HelmChartCreated", "InstallFailed"]


async def test_a_failed_install_is_taken_away_before_the_next_try():
    async with a_desk(RETRIES) as desk:
        desk.render(HOOKED)
        await desk.turn(failing=["pre"])
        assert desk.words[0] == "Reconciling=True ProgressingWithRetry"
        assert desk.words[1:] == [
            "Ready=False UninstallSucceeded",
            "Released=False InstallFailed",
            "Remediated=True UninstallSucceeded",
        ]
        assert desk.history == [(1, "uninstalled", "uninstall-remediation")]
        assert desk.results == [Result(backoff=True)]

        await desk.turn()

        assert desk.words == ["Ready=True InstallSucceeded", "Released=True InstallSucceeded"]


async def test_the_last_of_the_retries_is_the_last():
    async with a_desk(RETRIES) as desk:
        desk.render(HOOKED)

        await desk.turn(2, failing=["pre"])

        assert desk.words[0] == "Stalled=True RetriesExceeded"
        assert desk.message("Stalled") == "Failed to install after 2 attempt(s)"
        assert desk.failures == (2, 2, 0)


async def test_a_failed_upgrade_with_retries_is_rolled_back_and_tried_again():
    async with a_desk({"upgrade": {"remediation": {"retries": 1}}}) as desk:
        await desk.turn()
        desk.edit({"spec": {"values": {"replicas": 2}}})
        desk.render(HOOKED)

        await desk.turn(failing=["pre"])

        assert "Remediated=True RollbackSucceeded" in desk.words
        text = "Helm rollback to previous release apps/web.v1 with chart web@1.0.0 succeeded"
        assert desk.message("Remediated") == text
        assert desk.history[:2] == [(3, "deployed", "rollback"), (2, "failed", "upgrade")]

        await desk.turn()

        assert desk.words == ["Ready=True UpgradeSucceeded", "Released=True UpgradeSucceeded"]


async def test_retry_on_failure_waits_and_upgrades_what_failed():
    strategy = {"name": "RetryOnFailure", "retryInterval": "1m"}
    async with a_desk({"install": {"strategy": strategy}, "upgrade": {"strategy": strategy}}) as desk:
        desk.render(HOOKED)
        await desk.turn(failing=["pre"])
        assert desk.message("Reconciling") == "retrying after 1m0s"
        assert desk.status.observed_generation == 1
        assert desk.results[0].requeue_after is not None

        await desk.turn()

        assert desk.words == ["Ready=True UpgradeSucceeded", "Released=True UpgradeSucceeded"]
        assert desk.failures == (0, 0, 0)


async def test_missing_values_are_named_and_the_release_runs_on():
    async with a_desk() as desk:
        await desk.turn()
        desk.edit({"spec": {"valuesFrom": [{"kind": "Secret", "name": "gone"}]}})

        await desk.turn()

        assert desk.words[1] == "Ready=False ValuesError"
        assert 'secrets "gone" not found' in desk.message("Ready")
        assert desk.history == [(1, "deployed", "install")]


async def test_what_cannot_be_honoured_is_refused_by_name():
    async with a_desk({"postRenderers": [{"kustomize": {}}]}) as desk:
        await desk.turn()

        assert desk.message("Stalled") == "not supported yet: spec.postRenderers"


async def test_a_release_that_goes_is_uninstalled_with_its_chart():
    async with a_desk() as desk:
        await desk.turn()
        desk.server.store.delete(RELEASES, desk.release().key)

        await desk.turn()

        assert desk.process.names(CONFIG_MAPS) == []
        assert desk.process.names(CHARTS) == []
        assert desk.process.names(RELEASES) == []
        assert desk.events[-1] == "UninstallSucceeded"


async def test_f16_a_release_that_no_history_knows_yet_goes_with_its_object():
    async with a_desk() as desk:
        await desk.turn()
        desk.edit({"status": {"history": None}})  # as it is while the install is under way
        desk.server.store.delete(RELEASES, desk.release().key)

        await desk.turn()

        assert desk.process.names(CONFIG_MAPS) == desk.process.names(SECRETS) == desk.process.names(RELEASES) == []
        assert desk.events[-1] == "UninstallSucceeded"


async def test_f16_a_release_that_no_history_knows_yet_is_taken_away_when_it_is_to_be_another():
    async with a_desk() as desk:
        await desk.turn()
        desk.edit({"spec": {"releaseName": "other"}, "status": {"history": None}})

        await desk.turn(2)

        assert desk.process.names(SECRETS) == ["sh.helm.release.v1.other.v1"]
        assert [(one.name, one.version) for one in desk.status.history] == [("other", 1)]


async def test_a_release_that_cannot_be_uninstalled_says_why():
    async with a_desk() as desk:
        desk.render(HOLDING)
        await desk.turn()
        desk.server.store.delete(RELEASES, desk.release().key)
        with pytest.raises(DeletionError):
            await desk.turn(failing=["pre"])

        assert desk.words == ["Ready=False UninstallFailed", "Released=False UninstallFailed"]
        assert desk.message("Ready").startswith("Helm uninstall failed for release apps/web.v1 with chart web@1.0.0")

        await desk.turn()
        assert desk.process.names(RELEASES) == []


async def test_f16_a_rollback_whose_process_died_is_a_remediation_and_no_release():
    async with a_desk({"upgrade": {"remediation": {"retries": 0, "remediateLastFailure": True}}}) as first:
        await first.turn()
        first.edit({"spec": {"values": {"replicas": 2}}})
        first.render(HOOKED)
        await first.turn(failing=["pre"])
        noted, words = first.history, first.words
        status = first.server.store.get(RELEASES, KEY)["status"]
        conditions = [one for one in status["conditions"] if one["type"] in {"Ready", "Released"}]
        first.edit({"status": {"history": status["history"][1:], "conditions": conditions}})
        async with a_desk(server=first.server) as second:
            second.render(HOOKED)
            await second.turn()

            assert (second.history, second.words) == (noted, words)
            assert "Ready=False RollbackSucceeded" in words
            assert second.failures[2] == 1


async def test_h16_what_cannot_be_rolled_back_to_any_more_is_upgraded():
    async with a_desk({"upgrade": {"remediation": {"retries": 1}}}) as desk:
        await desk.turn()
        desk.server.store.delete(SECRETS, ObjectKey("apps", "sh.helm.release.v1.web.v1"))
        desk.edit({"spec": {"values": {"replicas": 2}}})
        desk.render(HOOKED)

        await desk.turn(3, failing=["pre"])

        assert "Stalled=True RetriesExceeded" in desk.words
        assert desk.failures[2] <= 2


async def test_h16_what_somebody_wrote_into_the_record_is_seen_at_the_next_look():
    async with a_desk() as desk:
        await desk.turn()
        key = ObjectKey("apps", "sh.helm.release.v1.web.v1")
        assert await desk.quietly() == []
        found = desk.server.store.update(
            SECRETS, key, lambda live: merge(live, {"metadata": {"labels": {"touched": "yes"}}})
        )
        version = found["metadata"]["resourceVersion"]
        seen = desk.process.sightings.cache
        await loops.until(lambda: (one := seen.find(key)) is not None and one.resource_version == version)

        assert f"GET /api/v1/namespaces/apps/secrets/{key.name}" in await desk.quietly()
        assert await desk.quietly() == []


async def test_another_name_is_another_release_and_the_old_one_goes():
    async with a_desk() as desk:
        await desk.turn()
        desk.edit({"spec": {"releaseName": "other"}})
        await desk.turn()
        assert desk.history == []
        assert desk.message("Released") == "Helm uninstall succeeded for release apps/web.v1 with chart web@1.0.0"

        await desk.turn()

        assert [(one.name, one.version) for one in desk.status.history] == [("other", 1)]
        assert desk.words[0] == "Ready=True InstallSucceeded"


@pytest.mark.parametrize("chart", [pytest.param(GOOD, id="deployed"), pytest.param(HOOKED, id="failed")])
async def test_an_action_whose_end_nobody_noted_is_put_on_record_and_not_done_over(chart: Chart):
    async with a_desk() as desk:
        desk.render(chart)
        await desk.turn(failing=["pre"])
        noted = desk.history
        desk.edit({"status": {"history": None, "conditions": None, "failures": 0, "installFailures": 0}})
        async with a_desk(server=desk.server) as second:
            await second.turn()

            assert second.history == noted
            assert second.failures[1] == (0 if chart is GOOD else 1)
            assert second.words[-1].startswith("Released=")
