"""helm-controller: HelmRelease -> a Helm release in the cluster.

main.py            what is plugged in: flags -> clients -> reconciler -> a Unit of the Manager
watches.py         what wakes a HelmRelease: itself, its chart, its dependencies, its values, its stored release
reconciler.py      the story: chart template -> dependencies -> chart -> values -> reconciliation
reconciliation.py  the loop over one release: observe -> decide -> act; reports.py what is said of each action
facts.py -> state.py -> plan.py    what is known, how the release stands, what comes next: all pure
summary.py         how Ready follows; reasons.py in whose words
chart_template.py  the HelmChart that is made; charts.py a chart's artifact and archive; revisions.py their digests
values.py          values from Secrets, ConfigMaps and the spec; strvals.py one at a path, as --set does it
history.py         status.history; digests.py its checksums, as Go has them; inputs.py that of all that is released
names.py           what a release is called and where it is; options.py how it is acted on; tokens.py wishes
checks.py          what is refused because it is not built yet
deletion.py        what becomes of a release when its HelmRelease goes

release/    the release engine: records, their storage, install, upgrade, uninstall, hooks, resume after a crash
"""
