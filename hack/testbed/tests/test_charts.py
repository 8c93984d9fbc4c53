import io
import tarfile

import aiohttp
import pytest
import yaml

from hack.testbed import charts
from hack.testbed.chart_repository import ChartRepository
from hack.testbed.charts import Chart
from hack.testbed.pipeline import UnknownToken, replace_tokens


def the_chart(version: str = "1.2.3") -> Chart:
    return Chart("app", version, templates={"a.yaml": "kind: A\n"}, files={"values.yaml": "a: 1\n"})


def authorization(user: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


def test_a_chart_is_packed_below_its_name_and_always_in_the_same_bytes() -> None:
    with tarfile.open(fileobj=io.BytesIO(charts.package(the_chart()))) as tar:
        assert tar.getnames() == ["app/Chart.yaml", "app/values.yaml", "app/templates/a.yaml"]
    assert the_chart().file_name == "app-1.2.3.tgz"
    assert charts.digest(the_chart()) == charts.digest(the_chart())


def test_tokens_are_replaced_as_a_pipeline_does_it() -> None:
    text = "version: #{Build.Number}#\ntag: '#{ image.tag }#' # {no token}\n"

    filled = replace_tokens(text, {"Build.Number": "158.0.0", "image.tag": "a1b2"})
    assert filled == "version: 158.0.0\ntag: 'a1b2' # {no token}\n"
    with pytest.raises(UnknownToken, match=r"image\.tag"):
        replace_tokens(text, {"Build.Number": "158.0.0"})


async def test_a_repository_lists_its_versions_newest_first_and_serves_their_archives() -> None:
    async with ChartRepository() as repository, aiohttp.ClientSession() as session:
        for version in ("1.0.0", "1.1.0"):
            repository.push(the_chart(version))
        async with session.get(f"{repository.url}/index.yaml") as response:
            index = yaml.safe_load(await response.text())
        entries = index["entries"]["app"]
        async with session.get(f"{repository.url}/{entries[0]['urls'][0]}") as response:
            archive = await response.read()

    assert [entry["version"] for entry in entries] == ["1.1.0", "1.0.0"]
    assert archive == charts.package(the_chart("1.1.0"))
    assert entries[0]["digest"] == charts.digest(the_chart("1.1.0"))


async def test_an_index_that_is_known_is_not_sent_again() -> None:
    async with ChartRepository() as repository, aiohttp.ClientSession() as session:
        repository.push(the_chart())
        url = f"{repository.url}/index.yaml"
        async with session.get(url) as response:
            tag = {"If-None-Match": response.headers["ETag"]}
        async with session.get(url, headers=tag) as response:
            assert response.status == 304
        repository.push(the_chart("1.3.0"))
        async with session.get(url, headers=tag) as response:
            assert response.status == 200

    assert (repository.count("index.yaml"), repository.count(status=304)) == (3, 1)


async def test_a_repository_with_a_login_lets_nobody_else_in() -> None:
    login = ("me", "pass-word")
    async with ChartRepository(*login) as repository, aiohttp.ClientSession() as session:
        url = f"{repository.url}/index.yaml"
        statuses = []
        for header in ({}, authorization("me", "wrong"), authorization(*login)):
            async with session.get(url, headers=header) as response:
                statuses.append(response.status)

    assert statuses == [401, 401, 200]
