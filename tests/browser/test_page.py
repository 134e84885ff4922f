"""The page as a whole, in a real browser: the controller, its port and delay, tokens, a server that is not there."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from cpppo.server.delay import Delay
from cpppo.server.enip.client import Logix
from cpppo.server.enip.simulator import Simulator
from cpppo.server.enip.web import app
from cpppo.server.enip.web.running import WebSettings
from tests.browser.chromium import Keys, opened
from tests.server.enip.web.browsing import Web, web

pytestmark = pytest.mark.browser

#: What Chromium itself writes on its console about an answer, or none.
REFUSED, UNKNOWN, LOST = "status of 400", "status of 401", "net::ERR_"

#: The texts of the buttons that can be pressed.
OFFERED = """
return Array.from(document.querySelectorAll("main button:enabled"))
  .filter((one) => one.checkVisibility()).map((one) => one.textContent);
"""


def test_who_it_is(driver: Chrome, site: Web) -> None:
    """The controller's name, product and address, and that it runs."""
    who = site.plc.device.identity.data
    with opened(driver, site) as page:
        page.says("#state", "Running")
        assert page.text("#name") == site.plc.device.name
        assert who.product_name in page.text("#product")
        assert f"0x{who.serial:08x}" in page.text("#product")
        assert page.text("#address") == "{}:{}".format(*site.plc.address)
        page.shows("#tag-rows .name a", ["SCADA", "Level", "Pump", "Name", "Count", "Grid"])
        page.shows("#tag-rows .type span:first-child", ["INT[1000]", "REAL", "BOOL", "STRING", "DINT", "DINT[3,4]"])
        page.says("#connections-none", "No client")
        page.until(lambda: page.driver.title.endswith("running"))


def test_totals_and_rates(driver: Chrome, site: Web) -> None:
    """What clients do is counted, and drawn."""
    with opened(driver, site) as page, Logix(*site.plc.address) as plc:
        for number in range(20):
            plc.write({"Count": number})
        page.until(lambda: int(page.text("#requests").replace("…", "0")) >= 20)
        page.says("#writes", "20")
        page.until(
            lambda: page.driver.execute_script("return document.querySelector('#rate .curve').hasAttribute('d')")
        )
        page.until(lambda: page.text("#rate-now").endswith("/s"))
        label = "return document.querySelector('#rate svg').ariaLabel ?? ''"
        page.until(lambda: "at most" in page.driver.execute_script(label))


def test_port_is_closed_and_opened(driver: Chrome, site: Web) -> None:
    """Disabled from the page, the port refuses clients; enabled, it serves them again."""
    with opened(driver, site) as page:
        page.click("#disable", "Disable")
        page.says("#state", "Disabled")
        with pytest.raises(OSError):
            socket.create_connection(site.plc.address, timeout=1).close()
        page.click("#disable", "Enable")
        page.says("#state", "Running")
        with Logix(*site.plc.address) as plc:
            assert plc.read("Count") == 0


def test_delay(driver: Chrome, site: Web) -> None:
    """The delay is set; what is none is refused, and why is shown beside it."""
    with opened(driver, site, refusals=[REFUSED]) as page:
        page.click("#delay", "0 s")
        page.enter("soon")
        page.says(".editor .problem", "soon")
        page.enter("0.05")
        page.find("#delay", "0.05 s")
        page.click("#delay")
        page.enter("0")
        page.find("#delay", "0 s")


def test_range_of_delays(driver: Chrome) -> None:
    """A range stays one, though it may be of one delay."""
    with web("Count=DINT", delay=Delay.parse("0.0-0.001")) as site, opened(driver, site) as page:
        page.click("#delay", "0 to 0.001 s")
        page.enter("0.01-0.02")
        page.click("#delay", "0.01 to 0.02 s")
        page.enter("0")
        page.find("#delay", "0 s")
        assert page.text("#state") == "Running"


def test_token(driver: Chrome) -> None:
    """The page asks for the token until it is right, and keeps it for its tab."""
    with web("SCADA=INT[1000]", token="right-token") as site, opened(driver, site, refusals=[UNKNOWN]) as page:
        page.find("#token").send_keys("wrong-token", Keys.ENTER)
        page.says("#token-problem", "not the token")
        page.find("#token").send_keys("right-token", Keys.ENTER)
        page.find("#tag-rows a", "SCADA")
        assert not page.driver.execute_script("return document.querySelector('dialog').open")
        page.driver.refresh()
        page.find("#tag-rows a", "SCADA")
        page.click("#disable", "Disable")
        page.says("#state", "Disabled")


def test_readonly(driver: Chrome) -> None:
    """Where nothing can be changed, nothing is offered to be changed."""
    with (
        web("SCADA=INT[1000]", "Count=DINT", readonly=True) as site,
        Logix(*site.plc.address) as first,
        Logix(*site.plc.address) as other,
        opened(driver, site) as page,
    ):
        assert first.read("Count") == other.read("Count") == 0
        page.find("#readonly", "read-only")
        page.until(lambda: len(page.texts("#connection-rows tr")) == 2)
        page.shows("#tag-rows .name a", ["SCADA", "Count"])
        page.until(lambda: page.driver.execute_script(OFFERED) == [])
        page.tag("SCADA")
        page.value("SCADA[3]", "0")
        assert page.driver.execute_script(OFFERED) == ["Go to", "Next", "Last"]


def test_server_goes_and_comes(driver: Chrome) -> None:
    """A server that does not answer is said to be lost; when it is back the page goes on by itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        settings = WebSettings(free.getsockname())
    with ExitStack() as first:
        site = Web(first.enter_context(Simulator("Count=DINT", web=settings)))
        with opened(driver, site, refusals=[LOST]) as page:
            page.says("#state", "Running")
            first.close()
            page.says("#state", "Not connected")
            page.says("#lost-text", "next try")
            with Simulator("Count=DINT", web=settings):
                page.says("#state", "Running")
                page.until(lambda: page.text("#lost-text") == "")


def test_hidden_page_asks_nothing(driver: Chrome, site: Web) -> None:
    """A page that nobody sees asks nothing, and is up to date when it is seen again."""
    with opened(driver, site) as page:
        page.value("Count", "0")
        driver.minimize_window()
        try:
            page.until(lambda: driver.execute_script("return document.hidden"))
            page.asked()
            then = len(site.get("/page/rates").json["samples"])
            page.until(lambda: len(site.get("/page/rates").json["samples"]) >= then + 3)  # as many polls would be
            assert len(page.asked()) <= 4  # those of the round that was under way
            site.plc["Count"][0] = 5
        finally:
            driver.maximize_window()
        page.value("Count", "5")


def test_files_are_small() -> None:
    """No file of the page has 400 lines."""
    folder = Path(app.__file__).parent / "page"
    lengths = {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.*") if path.suffix != ".png"}
    assert {name: count for name, count in lengths.items() if count >= 400} == {}
