"""All release Secrets by their metadata, as one watch shows them: history without a request, and people's own doings.

Our own writes count before the watch has shown them: until then it is not believed about that release.
"""

from tidegate.helm.release import secrets
from tidegate.helm.release.model import RecordSummary
from tidegate.runtime.cache import Cache, Update
from tidegate.runtime.resources import SECRETS
from tidegate.runtime.transport import Transport
from tidegate.runtime.watch import Selection

_Place = tuple[str, str]


class Sightings:
    """What is seen of release records; `cache` is to be run, and may be subscribed to, by whoever plugs it in."""

    def __init__(self, transport: Transport, namespace: str = "") -> None:
        selection = Selection(SECRETS, namespace, label_selector="owner=helm", metadata_only=True)
        self.cache: Cache[RecordSummary | None] = Cache(transport, selection, secrets.summarize)
        self._written: dict[_Place, int] = {}
        self._deleted: dict[_Place, set[str]] = {}

    def find_history(self, namespace: str, name: str) -> list[RecordSummary] | None:
        """All revisions of a release, in no order; None when the watch cannot be relied on for it now."""
        place = namespace, name
        if self.cache.selection.namespace not in ("", namespace):
            return None
        if not self.cache.believed or self.cache.version < self._written.get(place, 0):
            return None
        self._written.pop(place, None)
        prefix = secrets.secret_name(name, 0).removesuffix("0")
        keys = self.cache.keys()
        ours = [key for key in keys if key.namespace == namespace and key.name.startswith(prefix)]
        seen = [found for key in ours if (found := self.cache.find(key)) is not None and found.name == name]
        gone = self._deleted.get(place, set()) & {summary.uid for summary in seen}
        self._remember_deleted(place, gone)
        return [summary for summary in seen if summary.uid not in gone]

    def find_all(self, namespace: str) -> list[RecordSummary] | None:
        """All revisions of all releases that are stored there; None when the watch cannot be relied on for them now."""
        if self.cache.selection.namespace not in ("", namespace) or not self.cache.believed:
            return None
        if any(version > self.cache.version for place, version in self._written.items() if place[0] == namespace):
            return None
        gone = {uid for place, uids in self._deleted.items() if place[0] == namespace for uid in uids}
        keys = self.cache.keys()
        found = [self.cache.find(key) for key in keys if key.namespace == namespace]
        return [one for one in found if one is not None and one.uid not in gone]

    def is_foreign(self, update: Update[RecordSummary | None], holder: str) -> bool:
        """Whether somebody else than `holder` changed a record: helm, a person, or the process before this one."""
        if update.new is not None:
            return update.new.journal is None or update.new.journal.holder != holder
        place = update.key.namespace, update.old.name if update.old is not None else ""
        return update.old is not None and update.old.uid not in self._deleted.get(place, ())

    def wrote(self, namespace: str, name: str, resource_version: str) -> None:
        """We wrote a record of this release, with this outcome."""
        version = int(resource_version) if resource_version.isdecimal() else 0
        self._written[namespace, name] = max(version, self._written.get((namespace, name), 0))

    def deleted(self, namespace: str, name: str, uid: str) -> None:
        """We deleted a record of this release."""
        self._deleted.setdefault((namespace, name), set()).add(uid)

    def not_deleted(self, namespace: str, name: str, uid: str) -> None:
        """We could not delete it after all, or do not know."""
        place = namespace, name
        self._remember_deleted(place, self._deleted.get(place, set()) - {uid})

    def _remember_deleted(self, place: _Place, uids: set[str]) -> None:
        if uids:
            self._deleted[place] = uids
        else:
            self._deleted.pop(place, None)
