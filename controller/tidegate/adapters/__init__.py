"""The outside world, one file a part of it. Knows neither Flux nor conditions; blocking calls and foreign errors stop
here.

Git     git_remotes (all of a process) → git_remote (one repository: refs, fetch, commit, archive), made of
        git_url, git_auth, git_http     addresses, credentials, the only way out to a server
        git_packets, git_refs, git_poll packet lines; references, asked for once for all
        git_packs, git_gateway          packs: asked for, bounded, offered to libgit2 over loopback
        git_objects                     THE door to pygit2: a bare repository of objects
        git_commits, git_trees          raw commits and trees as values
        git_errors, git_limits          everything that can go wrong, drawn as a tree; how much anything may cost
OCI     oci                             registries and repositories: tags, manifests, blobs; made of
        oci_url, oci_auth, oci_tokens   addresses, Secrets, challenges answered; oci_http the only way out
        oci_manifests, oci_errors       manifests as values; everything that can go wrong, drawn as a tree
Files   archive                         the face of packing (artifacts written) and unpacking (strangers' tar.gz)
        folders, jail, bounds           trees to read; a directory that writes cannot leave; what they may hold
        walking, segments               what goes into an archive; pieces of it that need no compressing again
        tar_headers, gzip_stream        blocks of a tar as values; a stranger's gzip inflated within bounds
        scratch                         a temporary directory that not even a SIGKILL leaves for ever
        ignore, patterns                .sourceignore and spec.ignore; THE door to re2
Helm    chart_renderer                  charts rendered in processes that can be killed
        chart_worker                    THE door to helm_python: the main of such a process; chart_jobs what they say
        chart_archive, chart_schemas    a packaged chart's files; schemas that lead nowhere
        chart_head                      what a packaged chart says of itself
        helm_index                      indexes scanned for one chart
        chart_manifests                 rendered templates sorted into what Helm stores
HTTP    http_auth, http_files           a login and certificates for any server; files over HTTP, in bounds
Words   versions, redaction, proxies    semver ranges; secrets out of texts; NO_PROXY
        stoppable                       blocking work that ends when nobody waits
Kubernetes' tools
        kustomize, yaml                 THE doors to kubectl kustomize and libyaml
"""
