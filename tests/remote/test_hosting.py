"""A server in a thread: what starting raises, what stopping leaves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cpppo.remote.hosting import Hosted


class Server:
    """Serves nothing; what starting and stopping it raises is given."""

    address = ("here", 1)

    def __init__(self, starting: Exception | None = None) -> None:
        self.starting = starting
        self.serving: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def serve_forever(self, poll_interval: float = 0.5, *, background: bool = False) -> None:
        assert background
        if self.starting is not None:
            raise self.starting

    async def shutdown(self) -> None:
        self.serving.set_result(True)


def test_no_thread_is_left() -> None:
    """Inside the block there is a thread, afterwards there is none."""
    before = threading.active_count()
    with Hosted(Server) as hosted:
        assert hosted.address == ("here", 1)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_what_keeps_it_from_starting_is_raised() -> None:
    """What making or starting a server raises is raised by `start`, and no thread is left; it may be tried again."""
    before = threading.active_count()
    hosted = Hosted(lambda: Server(OSError("no such place")))
    for _ in range(2):
        with pytest.raises(OSError, match="no such place"):
            hosted.start()
    with pytest.raises(ZeroDivisionError):
        Hosted(lambda: 1 // 0).start()  # type: ignore[arg-type, return-value]
    assert threading.active_count() == before


def test_serve_waits_for_the_end() -> None:
    """`serve` returns when another thread stops the server."""
    with Hosted(Server) as hosted:
        stopping = threading.Thread(target=hosted.stop)
        stopping.start()
        hosted.serve()
        stopping.join()


def test_stopping_by_what_it_calls() -> None:
    """It would wait for itself: that is said, at once; it goes on, and can be stopped by others."""
    told: list[str] = []
    before = threading.active_count()
    with Hosted(Server) as hosted:

        async def stop() -> None:
            try:
                hosted.stop()
            except RuntimeError as exc:
                told.append(str(exc))

        asyncio.run_coroutine_threadsafe(stop(), hosted._loop).result(10)
        assert told == ["Modbus server cannot be stopped by what it calls; do that in another thread"]
    assert threading.active_count() == before
