"""Signs with the user's own SSH keys, by `ssh-keygen` and the agent: no private key is ever read here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlvc import git_program
from mlvc.errors import Error, InvalidNameError
from mlvc.format import signature

KEY_VARIABLE = "MLVC_SIGNING_KEY"
_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk")


class SigningError(Error):
    """ssh-keygen could not sign."""


class UsersKeys:
    """The keys of the person who works here, the preferred one first.

    They are the one that MLVC_SIGNING_KEY names (a key file, or a public key that the agent has the private one of), Git's
    `user.signingKey`, those that the agent holds, and the usual files of `~/.ssh`.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._environment = environment
        self._files: dict[str, Path | None] | None = None

    def keys(self) -> Sequence[str]:
        """Returns the public keys."""
        return list(self._found())

    def _found(self) -> dict[str, Path | None]:
        """Returns public key -> the file that `ssh-keygen -f` takes; None where only the agent knows it."""
        if self._files is None:
            self._files = {}
            named = self._environment.get(KEY_VARIABLE)
            for given in (named, git_program.line(["config", "--get", "user.signingKey"], cwd=self._root)):
                if given:
                    self._take(given.removeprefix("key::"))
            for line in self._of_agent():
                self._take(line)
            folder = Path(self._environment.get("HOME", "~")).expanduser() / ".ssh"
            for name in _USUAL:
                self._take(str(folder / name))
        return self._files

    def _take(self, given: str) -> None:
        """Notes a key by its file, or by its public key itself."""
        assert self._files is not None, "the caller fills it"
        path = Path(given).expanduser()
        private = path.with_suffix("") if path.suffix == ".pub" else path
        public = private.with_name(f"{private.name}.pub")
        try:
            if public.is_file():
                self._files.setdefault(signature.public_key(public.read_text()), private if private.is_file() else public)
            else:
                self._files.setdefault(signature.public_key(given), None)
        except (InvalidNameError, OSError, ValueError):
            return  # what names no key that can sign is none of this person's keys

    def _of_agent(self) -> list[str]:
        if not self._environment.get("SSH_AUTH_SOCK"):
            return []
        import subprocess

        try:
            done = subprocess.run(["ssh-add", "-L"], env=dict(self._environment), capture_output=True, check=False)
        except FileNotFoundError:
            return []
        return done.stdout.decode(errors="replace").splitlines() if done.returncode == 0 else []

    def sign(self, key: str, data: bytes) -> bytes:
        """Returns the signature; ssh-keygen asks for a passphrase, or a touch, itself.

        Raises:
            SigningError: it could not sign.
        """
        import subprocess

        with tempfile.TemporaryDirectory(prefix="mlvc-sign-") as folder:
            file = self._found().get(key)
            if file is None:
                file = Path(folder) / "key.pub"
                file.write_text(f"{key}\n")
            asked = ["ssh-keygen", "-q", "-Y", "sign", "-n", signature.NAMESPACE, "-f", os.fspath(file)]
            try:
                done = subprocess.run(asked, input=data, env=dict(self._environment), capture_output=True, check=False)
            except FileNotFoundError:
                raise SigningError("there is no 'ssh-keygen' program on the PATH", hint="install OpenSSH") from None
        try:
            made = signature.from_armor(done.stdout)
        except ValueError:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise SigningError(f"ssh-keygen could not sign with {file}: {said[-1] if said else 'it gave no reason'}") from None
        if not signature.is_valid(key, data, made):
            raise SigningError(f"ssh-keygen signed with another key than {signature.fingerprint(key)}")
        return made
