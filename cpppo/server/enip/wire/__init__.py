"""EtherNet/IP and CIP on the wire: declarations only."""

__all__: list[str] = []
