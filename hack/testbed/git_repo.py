"""A bare repository on disk and the ways a test changes it: real git, nobody's settings, the same hashes every time."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

EPOCH = 1_700_000_000
AUTHOR = ("Test", "test@example.com")
FILE, EXECUTABLE, SYMLINK, SUBMODULE = "100644", "100755", "120000", "160000"


class GitFailed(Exception):
    """A git command ended badly; the message has what it said."""


class GitRepo:
    """A bare repository. Commits are written by fast-import: no work tree, one process a commit, any size.

    Every commit is one second later than the one before, by the same author: equal histories have equal hashes.
    """

    def __init__(self, directory: Path, branch: str = "main") -> None:
        self.directory = directory
        self._clock = EPOCH
        directory.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", f"--initial-branch={branch}", ".")

    def commit(
        self,
        files: Mapping[str, str | bytes] | None = None,
        *,
        branch: str = "main",
        remove: Iterable[str] = (),
        message: str = "change",
        modes: Mapping[str, str] | None = None,
    ) -> str:
        """Adds a commit to a branch and returns its hash.

        `files` are written, `remove` paths (directories, too) are gone. A file is regular unless `modes` says
        EXECUTABLE, SYMLINK (its content is the target) or SUBMODULE (its content is the commit's hash).
        """
        parent = self.find(f"refs/heads/{branch}")
        return self._write(branch, parent, _changes(files or {}, remove, modes or {}), message)

    def rewrite(self, files: Mapping[str, str | bytes], *, branch: str = "main", message: str = "rewritten") -> str:
        """A force-push: the branch becomes one commit with these files and no past. Returns its hash."""
        return self._write(branch, None, _changes(files, (), {}), message)

    def reset(self, target: str, *, branch: str = "main") -> str:
        """A force-push: the branch points to an older (or any) commit. Returns its hash."""
        commit = self.resolve(f"{target}^{{commit}}")
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def create_branch(self, branch: str, start: str = "main") -> str:
        """A new branch; returns the hash that it points to."""
        return self.reset(start, branch=branch)

    def delete_branch(self, branch: str) -> None:
        self.git("update-ref", "-d", f"refs/heads/{branch}")

    def tag(self, name: str, target: str = "main", *, message: str | None = None) -> str:
        """A tag, moved if it exists: annotated with a message, else lightweight. Returns the hash of what it names."""
        self._clock += 1
        annotation = ["-a", "-m", message] if message is not None else []
        self.git("tag", "--force", *annotation, name, target)
        return self.resolve(f"refs/tags/{name}")

    def delete_tag(self, name: str) -> None:
        self.git("tag", "--delete", name)

    def set_head(self, branch: str) -> None:
        """Which branch a client gets that asks for none."""
        self.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def find(self, revision: str) -> str | None:
        """The hash of a revision, or None."""
        try:
            return self.resolve(revision)
        except GitFailed:
            return None

    def resolve(self, revision: str) -> str:
        """The hash of a revision.

        Raises:
            GitFailed: there is no such revision.
        """
        return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", revision).strip()

    def git(self, *words: str, stdin: bytes | None = None) -> str:
        """Any git command in this repository; returns what it printed.

        Raises:
            GitFailed: it ended badly.
        """
        done = subprocess.run(
            ["git", *words], cwd=self.directory, env=self._environment(), input=stdin, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise GitFailed(f"git {' '.join(words)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        name, email = AUTHOR
        when = f"{self._clock} +0000"
        who = {
            f"GIT_{role}_{fact}": value
            for role in ("AUTHOR", "COMMITTER")
            for fact, value in (("NAME", name), ("EMAIL", email), ("DATE", when))
        }
        return {**isolated_environment(self.directory), **who}

    def _write(self, branch: str, parent: str | None, changes: bytes, message: str) -> str:
        self._clock += 1
        who = f"{AUTHOR[0]} <{AUTHOR[1]}> {self._clock} +0000"
        text = message.encode()
        head = f"commit refs/heads/{branch}\nauthor {who}\ncommitter {who}\ndata {len(text)}\n".encode()
        start = f"\nfrom {parent}\n".encode() if parent else b"\n"
        if parent is None and self.find(f"refs/heads/{branch}"):
            self.delete_branch(branch)  # else fast-import would go on from it
        self.git("fast-import", "--quiet", "--force", "--date-format=raw", stdin=head + text + start + changes + b"\n")
        return self.resolve(f"refs/heads/{branch}")


def isolated_environment(home: Path) -> dict[str, str]:
    """An environment in which git knows no settings but a repository's own, and asks nobody for anything."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def _changes(files: Mapping[str, str | bytes], remove: Iterable[str], modes: Mapping[str, str]) -> bytes:
    lines = [f"D {_quoted(path)}\n".encode() for path in remove]
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        mode = modes.get(path, FILE)
        if mode == SUBMODULE:
            lines.append(f"M {mode} {data.decode()} {_quoted(path)}\n".encode())
        else:
            lines.append(f"M {mode} inline {_quoted(path)}\ndata {len(data)}\n".encode() + data + b"\n")
    return b"".join(lines)


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
