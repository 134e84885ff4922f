"""The CIP services: one small declaration each, request and reply side by side."""

from cpppo.server.enip.wire.services.base import REPLY, RequestEnvelope, Service
from cpppo.server.enip.wire.services.registry import SERVICES, Request, repeats
from cpppo.server.enip.wire.services.reply import Reply

__all__ = ["REPLY", "SERVICES", "Reply", "Request", "RequestEnvelope", "Service", "repeats"]
