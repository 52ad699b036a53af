"""A mail user's client: smtplib at a submission listener, inside TLS.

The tests of logins use it.  Invariant: whom the certificate names is nobody's concern here, but `name` is
what the handshake asks for (SNI).
"""

import smtplib

from lib.certificates import client_context


def connect(mta, name="mx.test", tls=True, source=None):
    """A client of the first listener that has said EHLO, with tls after STARTTLS; source: its address."""
    client = smtplib.SMTP("127.0.0.1", mta.listeners[0].port, timeout=20, source_address=source and (source, 0))
    client._host = name  # pylint: disable=protected-access
    if tls:
        client.starttls(context=client_context())
    client.ehlo("c.test")
    return client
