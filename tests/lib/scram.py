"""A client of SCRAM-SHA-256 (RFC 5802, RFC 7677), for tests: it says what it is told to say, also wrongly.

    scram = Scram("anna@a.example", "s3cret")
    first = scram.first()                   # base64, as AUTH has it
    final = scram.final(challenge)          # what follows the server's challenge
    scram.check(signature)                  # does the server know the password, too?
"""

import base64
import hashlib
import hmac
import os


def b64(octets):
    return base64.b64encode(octets).decode()


def mac(key, text):
    return hmac.new(key, text, "sha256").digest()


class Scram:
    def __init__(self, user, password, header="n,,", binding=b""):
        self.user, self.password, self.header, self.binding = user, password, header, binding
        self.nonce = b64(os.urandom(18))
        self.salt, self.iterations, self.wanted = None, None, None

    @property
    def bare(self):
        return f"n={self.user.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"

    def first(self):
        return b64((self.header + self.bare).encode())

    def read(self, challenge):
        """The challenge's nonce; keeps salt and iterations."""
        text = base64.b64decode(challenge, validate=True).decode()
        fields = dict(field.split("=", 1) for field in text.split(","))
        assert list(fields) == ["r", "s", "i"] and fields["r"].startswith(self.nonce), text
        assert len(fields["r"]) >= len(self.nonce) + 18
        self.salt, self.iterations = base64.b64decode(fields["s"], validate=True), int(fields["i"])
        return text, fields["r"]

    def final(self, challenge):
        text, nonce = self.read(challenge)
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), self.salt, self.iterations)
        client = mac(salted, b"Client Key")
        without = f"c={b64(self.header.encode() + self.binding)},r={nonce}"
        message = f"{self.bare},{text},{without}".encode()
        signature = mac(hashlib.sha256(client).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client, signature))
        self.wanted = "v=" + b64(mac(mac(salted, b"Server Key"), message))
        return b64(f"{without},p={b64(proof)}".encode())

    def check(self, signature):
        assert base64.b64decode(signature, validate=True).decode() == self.wanted

    def login(self, say, mechanism="SCRAM-SHA-256"):
        """say(line) -> (code, text): the whole exchange; the reply that ends it."""
        code, text = say(f"AUTH {mechanism} {self.first()}")
        if code != 334:
            return code, text
        code, text = say(self.final(text))
        if code != 334:
            return code, text
        self.check(text)
        return say("")
