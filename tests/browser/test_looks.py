"""How the page looks and is worked with: sizes, schemes, contrast, names, focus."""

from __future__ import annotations

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from cpppo.server.enip.client import Logix
from tests.browser.chromium import Keys, opened
from tests.server.enip.web.browsing import Web

pytestmark = pytest.mark.browser

#: Texts whose contrast to what is behind them is below that of WCAG AA.
FAINT = """
const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
function behind(node) {
  for (; node; node = node.parentElement) {
    const colour = numbers(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  throw new Error("nothing is behind");
}
const found = [];
for (const node of document.querySelectorAll("body *")) {
  const text = node instanceof SVGTextElement || node instanceof HTMLInputElement
    || Array.from(node.childNodes).some((one) => one.nodeType === Node.TEXT_NODE && one.data.trim());
  if (!text || !node.checkVisibility() || node.getAnimations().length) continue;
  const style = getComputedStyle(node);
  const [one, other] = [light(numbers(node instanceof SVGTextElement ? style.fill : style.color)), light(behind(node))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5 && !node.disabled) found.push(`${node.tagName} ${node.className} ${node.textContent}: ${ratio}`);
}
return found;
"""

WIDE = "return document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_looks(driver: Chrome, site: Web, width: int, dark: bool) -> None:
    """Nothing is wider than the window, all text has contrast; pictures are kept to look at."""
    name = f"{width}-{'dark' if dark else 'light'}"
    site.plc["Count"].attribute.error = 8
    with (
        opened(driver, site, refusals=["status of 400"]) as page,
        Logix(*site.plc.address) as plc,
        Logix(*site.plc.address) as other,
    ):
        page.look(width, 900, dark)
        plc.write({"SCADA[0-5]": [-1200, 7, 32767, 0, 15, 3], "Level": 12.3, "Name": "Mixing plant, line 7"})
        assert other.read("Pump") is False
        page.value("Level", "12.3")
        page.driver.execute_script("document.querySelector('#connections').scrollIntoView()")
        page.until(lambda: len(page.texts("#connection-rows tr")) == 2)
        page.driver.execute_script("scrollTo(0, 0)")
        page.until(lambda: page.text("#latency-now").endswith("s"))
        page.until(lambda: page.driver.execute_script(WIDE) <= 0)
        assert page.driver.execute_script(FAINT) == []
        page.shot(f"{name}-list")
        page.tag("SCADA")
        page.click(page.cell("SCADA[3]"))
        page.enter("99999")
        page.says(".editor .problem", "does not fit")
        assert page.driver.execute_script(WIDE) <= 0
        assert page.driver.execute_script(FAINT) == []
        page.shot(f"{name}-array")


def test_all_controls_have_names(driver: Chrome, site: Web) -> None:
    """Whoever hears the page hears what each control is."""
    with opened(driver, site) as page:
        page.value("Count", "0").click()
        controls = page.driver.find_elements(By.CSS_SELECTOR, "main :is(button, input, select, a)")
        nameless = [
            one.get_attribute("outerHTML") for one in controls if one.is_displayed() and not one.accessible_name
        ]
        assert nameless == []
        assert page.find(".editor input").accessible_name == "Value of Count, DINT"


def test_tab_goes_through_in_order(driver: Chrome, site: Web) -> None:
    """The tabulator reaches the controls as they are read, and the focus is seen."""
    with opened(driver, site) as page:
        page.value("Level", "0")
        wanted = ["disable", "delay", "style", "search", "SCADA", "0, 0, 0, 0, 0, 0, …", "0x00 success", "Level", "0"]
        seen = []
        for _ in wanted:
            page.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB) if not seen else page.press(Keys.TAB)
            one = page.driver.switch_to.active_element
            seen.append(one.get_attribute("id") or one.text)
            assert one.value_of_css_property("outline-style") == "solid"
        assert seen == wanted
