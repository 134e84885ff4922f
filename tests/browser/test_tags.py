"""Tags on the page: what real clients write is seen, what is edited they read."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from cpppo.errors import StatusError
from cpppo.server.enip.client import Logix
from tests.browser.chromium import Keys, opened
from tests.peers.with_pycomm3 import Pycomm3
from tests.server.enip.web.browsing import Web, web
from tests.tools import need_module

pytestmark = pytest.mark.browser

REFUSED = "status of 400"

PLANT = """
[types.Motor]
Speed = "REAL"
Running = "BOOL"
Name = "STRING"
Counts = "DINT[4]"

[tags]
Drive = { type = "Motor[12]", description = "<b>conveyors</b>" }
Level = { type = "REAL", access = "read-only", description = "tank level, m" }
"""


def test_write_of_a_client_is_seen(driver: Chrome, site: Web) -> None:
    """Values that cpppo's client writes appear, in the list and in the view of an array."""
    with opened(driver, site) as page, Logix(*site.plc.address) as plc:
        page.value("Count", "0")
        plc.write({"Count": -7, "Level": 1.1, "Pump": True, "Name": "<i>Mixer</i>", "SCADA[2]": 42})
        page.value("Count", "-7")
        page.value("Level", "1.1")
        page.value("Pump", "1")
        page.value("Name", "<i>Mixer</i>")
        page.find("#tag-rows .several", "0, 0, 42, 0, 0, 0, …")
        page.tag("SCADA")
        page.value("SCADA[2]", "42")
        plc.write({"SCADA[99]": 1234})
        page.value("SCADA[99]", "1234")


@pytest.mark.peers
def test_write_of_pycomm3_is_seen(driver: Chrome, site: Web) -> None:
    """A value that pycomm3 writes appears, and it reads one that was edited."""
    need_module("pycomm3")
    peer = Pycomm3(site.plc.address)
    try:
        with opened(driver, site) as page:
            page.value("Count", "0")
            peer.write("Count", 123456)
            page.value("Count", "123456").click()
            page.enter("654321")
            page.value("Count", "654321")
            assert peer.read("Count") == 654321
    finally:
        peer.driver.close()


def test_edit_by_keys_alone(driver: Chrome, site: Web) -> None:
    """Enter opens an editor and sets, Escape leaves; the focus is where it was; a client reads what was set."""
    with opened(driver, site) as page, Logix(*site.plc.address) as plc:
        page.value("Count", "0").send_keys(Keys.ENTER)
        page.find(".editor input")
        page.press("0x1F", Keys.ENTER)
        page.until(lambda: page.has_value("31"))
        assert plc.read("Count") == 31
        assert driver.switch_to.active_element.get_attribute("aria-label") == "Count: 31"
        page.says("#tags-said", "Count is set")
        page.press(Keys.ENTER)
        page.find(".editor input")
        page.press("5", Keys.ESCAPE)
        page.value("Count", "31")
        assert driver.switch_to.active_element.get_attribute("aria-label") == "Count: 31"
        assert plc.read("Count") == 31
        page.value("Pump", "0").send_keys(Keys.ENTER)
        page.find(".editor select")
        page.press("1", Keys.ENTER)
        page.value("Pump", "1")
        assert plc.read("Pump") is True


def test_refused_value_is_said_beside_it(driver: Chrome, site: Web) -> None:
    """What the type cannot hold is refused, with the reason, and can be mended."""
    with opened(driver, site, "static/index.html#tag=SCADA", [REFUSED]) as page:
        page.click(page.cell("SCADA[3]"))
        page.enter("99999")
        page.says(".editor .problem", "does not fit INT")
        assert page.find(".editor input").get_attribute("aria-invalid") == "true"
        page.enter("9999")
        page.value("SCADA[3]", "9999")
        assert site.plc["SCADA"][2:5] == [0, 9999, 0]


def test_array_is_paged(driver: Chrome, site: Web) -> None:
    """A hundred elements are shown at a time; others by leafing or by their number."""
    with opened(driver, site) as page, Logix(*site.plc.address) as plc:
        page.tag("SCADA")
        page.says("#tag-pager .where", "1 to 100 of 1,000")
        page.click("#tag-pager button", "Next")
        page.value("SCADA[100]", "0")
        page.find("#tag-element").send_keys("957", Keys.ENTER)
        page.says("#tag-pager .where", "901 to 1,000 of 1,000")
        assert len(page.texts("#tag-cells li")) == 100
        page.click(page.cell("SCADA[957]"))
        page.enter("77")
        page.value("SCADA[957]", "77")
        assert plc.read("SCADA[957]") == 77
        page.click("#tag-back")
        page.tag("Grid")
        page.click(page.cell("Grid[2,1]"))
        page.enter("21")
        page.value("Grid[2,1]", "21")
        assert plc.read("Grid[2,1]") == 21
        driver.back()
        page.find("#tag-rows a", "SCADA")


def test_members_of_structures(driver: Chrome, tmp_path: Path) -> None:
    """A member is edited by itself; the others stay; text from a plant file is no markup."""
    config = tmp_path / "plant.toml"
    config.write_text(PLANT)
    with web(config=config) as site, opened(driver, site) as page, Logix(*site.plc.address) as plc:
        plc.write({"Drive[1].Counts[2]": 5, "Drive[1].Name": "Belt"})
        page.find("#tag-rows .description", "<b>conveyors</b>")
        page.find("#tag-rows .access", "read-only")
        page.tag("Drive")
        page.value("Drive[1].Counts[2]", "5")
        page.click(page.cell("Drive[1].Speed"))
        page.enter("2.5")
        page.value("Drive[1].Speed", "2.5")
        assert plc.read("Drive[1]") == {"Speed": 2.5, "Running": False, "Name": "Belt", "Counts": [0, 0, 5, 0]}
        page.click("#tag-pager button", "Next")
        page.value("Drive[11].Speed", "0")


def test_forced_error_reaches_a_client(driver: Chrome, site: Web) -> None:
    """A status chosen on the page is what a client gets, until it is success again."""
    with opened(driver, site) as page, Logix(*site.plc.address) as plc:
        assert plc.read("Count") == 0
        row = page.find("#tag-rows tr:nth-child(5)")
        row.find_element(By.CSS_SELECTOR, "button.status").click()
        Select(page.find(".editor select")).select_by_visible_text("0x08 service not supported")
        page.press(Keys.ENTER)
        page.find("#tag-rows button.status.bad", "0x08 service not supported")
        with pytest.raises(StatusError) as caught:
            plc.read("Count")
        assert caught.value.status == 8
        page.tag("Count")
        page.click("#tag-status")
        Select(page.find(".editor select")).select_by_visible_text("0x00 success")
        page.click(".editor button", "Set")
        page.find("#tag-status", "0x00 success")
        assert plc.read("Count") == 0


def test_search_among_ten_thousand_tags(driver: Chrome) -> None:
    """The server searches: the page has a page of rows, however many tags there are."""
    with web(*(f"Line_{number:05}=DINT" for number in range(10_000))) as site, opened(driver, site) as page:
        page.says("#tags-heading", "10,000")
        page.says("#tags-pager .where", "1 to 50 of 10,000")
        assert len(page.texts("#tag-rows tr")) == 50
        page.find("#search").send_keys("_0123")
        page.shows("#tag-rows .name a", [f"Line_{number:05}" for number in range(1230, 1240)])
        page.find("#search").clear()
        page.find("#search").send_keys("line_*99")
        page.says("#tags-pager .where", "1 to 50 of 100")
        page.click("#tags-pager button", "Last")
        page.find("#tag-rows a", "Line_09999")
        page.find("#search").send_keys("!")
        page.find("#tags-none", "No tag fits.")
        assert page.texts("#tag-rows tr") == []


def test_styles_of_numbers(driver: Chrome, site: Web) -> None:
    """Whole numbers are shown in hexadecimal and binary, as their bits are."""
    site.plc["Count"][0] = -2
    with opened(driver, site) as page:
        page.value("Count", "-2")
        Select(page.find("#style")).select_by_visible_text("Hex")
        page.value("Count", "0xFFFFFFFE")
        Select(page.find("#style")).select_by_visible_text("Binary")
        page.value("Count", "0b" + "1" * 31 + "0")


def test_unknown_tag(driver: Chrome, site: Web) -> None:
    """An address of the page that names no tag says so, and leads back."""
    with opened(driver, site, "static/index.html#tag=%3Cb%3Enone", ["status of 404"]) as page:
        page.says("#tag-problem", "no tag '<b>none'")
        page.find("#tag-name", "<b>none")
        page.click("#tag-back")
        page.find("#tag-rows a", "SCADA")
