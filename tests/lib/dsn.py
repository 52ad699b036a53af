"""Reads delivery status notifications strictly (RFC 3462, RFC 3464): what a bounce test looks at."""

import email.message


class Report:
    """A parsed multipart/report; raises AssertionError where it breaks the RFCs."""

    def __init__(self, message):
        """message: email.message.Message."""
        assert message.get_content_type() == "multipart/report", message.get_content_type()
        assert message.get_param("report-type") == "delivery-status"
        assert not message.defects, message.defects
        assert message["MIME-Version"] == "1.0"
        assert message["Auto-Submitted"] and message["Auto-Submitted"].startswith("auto-replied"), "RFC 3834"
        for name in ("From", "To", "Date", "Message-ID", "Subject"):
            assert message[name], f"no {name}: in the report"
        parts = message.get_payload()
        assert len(parts) in (2, 3), [part.get_content_type() for part in parts]
        assert parts[0].get_content_type() == "text/plain"
        assert parts[1].get_content_type() == "message/delivery-status"
        self.text = parts[0].get_payload(decode=True).decode()
        self.groups = parts[1].get_payload()
        self.returned = None
        if len(parts) == 3:
            assert parts[2].get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/global",
                                                   "message/global-headers")
            self.returned = parts[2]
        self.check_groups()

    def check_groups(self):
        """Per-message group first, then one a recipient, each with the required fields."""
        assert isinstance(self.groups[0], email.message.Message)
        assert self.groups[0]["Reporting-MTA"].startswith("dns;")
        assert len(self.groups) >= 2, "no recipient group"
        for group in self.groups[1:]:
            for name in ("Final-Recipient", "Action", "Status"):
                assert group[name], f"no {name} in a recipient group"
            assert group["Action"] in ("failed", "delayed", "delivered", "relayed", "expanded")

    def recipient(self, address):
        """The group of `address`."""
        for group in self.groups[1:]:
            if group["Final-Recipient"].partition(";")[2].strip() == address:
                return group
        raise AssertionError(f"{address} is not in {[group['Final-Recipient'] for group in self.groups[1:]]}")

    def recipients(self):
        """The addresses reported about."""
        return [group["Final-Recipient"].partition(";")[2].strip() for group in self.groups[1:]]
