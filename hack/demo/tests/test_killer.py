import pytest

from hack.demo.acts.crash import Killer
from hack.testbed.fault_proxy import Dropped, Exchange, Phase


def an_exchange(phase: Phase, *, dry_run: bool = False) -> Exchange:
    query = {"dryRun": "All"} if dry_run else {}
    return Exchange(1, phase, "PATCH", "/api/v1/namespaces/shop/services/web", query, b"")


async def write(killer: Killer, *, dry_run: bool = False) -> None:
    await killer(an_exchange(Phase.BEFORE, dry_run=dry_run))
    await killer(an_exchange(Phase.AFTER, dry_run=dry_run))


async def test_answer_to_the_last_write_reaches_nobody() -> None:
    kills: list[int] = []
    killer = Killer(2, lambda: kills.append(1))
    await write(killer)

    with pytest.raises(Dropped):
        await write(killer)

    assert kills == [1]
    assert len(killer.writes) == 2


async def test_dry_runs_are_no_writes() -> None:
    killer = Killer(1, lambda: None)

    await write(killer, dry_run=True)

    assert not killer.killed.is_set()


async def test_everything_passes_once_it_has_killed() -> None:
    killer = Killer(1, lambda: None)
    with pytest.raises(Dropped):
        await write(killer)

    await write(killer)

    assert len(killer.writes) == 1
