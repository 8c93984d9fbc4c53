"""Why an artifact could not be turned into objects.

TidegateError
├── BuildError             the manifests are wrong, or may not do what they ask for   reason BuildFailed
│   └── SubstitutionError  a template in them is wrong, or a variable is not set
└── PathError              there is no such directory in the artifact                 reason ArtifactFailed
"""

from tidegate.runtime.errors import TidegateError


class BuildError(TidegateError):
    """The manifests cannot be built; the message names the file or the object, and the cause."""


class SubstitutionError(BuildError):
    """A template is malformed, names a variable that is not set, or breaks a bound."""


class PathError(TidegateError):
    """The path of the Kustomization is no directory inside the artifact."""
