"""`mlvc ui` as a command."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest


def test_the_command_serves_until_it_is_interrupted(filled):
    child = subprocess.Popen([sys.executable, "-m", "mlvc", "ui", "--no-open", "--port", "0"], cwd=filled.root, stderr=subprocess.PIPE, text=True)
    try:
        assert "http://127.0.0.1:" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30)[1] == ""
        assert child.returncode == 0
    finally:
        child.kill()
        child.wait()


def test_an_address_that_cannot_be_listened_on_is_said_in_a_sentence(filled):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    for words, why in ((["--port", str(taken.getsockname()[1])], "address already in use"), (["--host", "203.0.113.9"], "--host names an address of this machine")):
        done = subprocess.run([sys.executable, "-m", "mlvc", "ui", "--no-open", *words], cwd=filled.root, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert why in done.stderr
    taken.close()


def test_a_token_can_be_asked_for_on_this_machine_too(filled):
    child = subprocess.Popen([sys.executable, "-m", "mlvc", "ui", "--no-open", "--port", "0", "--token"], cwd=filled.root, stderr=subprocess.PIPE, text=True)
    try:
        address = child.stderr.readline().split()[2]
        assert "?token=" in address
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(address.partition("?")[0])
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert b"Registry" in opener.open(address).read()
    finally:
        child.kill()
        child.communicate()
