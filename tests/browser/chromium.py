"""A headless Chromium and the simulator's page in it.

Owns: the browser, and what a test does with a page: find, wait, click, type.  Rule: waits for what the page shows,
never for time; a page that is left has made no error, asked no other host and broken no security policy.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.server.enip.web.browsing import Web
from tests.tools import ROOT, need

__all__ = ["SHOTS", "Keys", "Page", "browser", "opened"]

#: Where screenshots are kept, for people to look at.
SHOTS = ROOT / "screenshots"

_TIMEOUT_S, _LOOK_S = 10.0, 0.05
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # as root it does not start without
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
)

T = TypeVar("T")


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A Chromium of its own, with a log of its console and of its requests."""
    options = webdriver.ChromeOptions()
    options.binary_location = need("chromium")
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(need("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page of a simulator."""

    def __init__(self, driver: webdriver.Chrome, origin: str) -> None:
        self.driver = driver
        self.origin = origin

    def look(self, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Take a size and a colour scheme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})

    def until(self, found: Callable[[], T]) -> T:
        """Wait until something is so; it may not be there yet."""
        ignored = (NoSuchElementException, StaleElementReferenceException)
        return WebDriverWait(self.driver, _TIMEOUT_S, _LOOK_S, ignored).until(lambda _: found())

    def find(self, css: str, text: str | None = None) -> WebElement:
        """Wait for an element that is shown, with just this text if one is given."""

        def shown() -> WebElement | None:
            for one in self.driver.find_elements(By.CSS_SELECTOR, css):
                if one.is_displayed() and (text is None or one.text == text):
                    return one
            return None

        found = self.until(shown)
        assert found is not None
        return found

    def text(self, css: str) -> str:
        """The text of an element that is there, shown or not; "" if it is not."""
        return str(self.driver.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", css))

    def texts(self, css: str) -> list[str]:
        """The texts of all elements there are."""
        script = "return Array.from(document.querySelectorAll(arguments[0]), one => one.textContent)"
        found: list[str] = self.driver.execute_script(script, css)
        return found

    def says(self, css: str, part: str) -> None:
        """Wait until the text of an element has a part."""
        self.until(lambda: part in self.text(css))

    def shows(self, css: str, texts: Sequence[str]) -> None:
        """Wait until the texts of some elements are these."""
        self.until(lambda: self.texts(css) == list(texts))

    def click(self, css: str, text: str | None = None) -> None:
        """Click, once it can be."""

        def clicked() -> bool:
            one = self.find(css, text)
            enabled = one.is_enabled()
            if enabled:
                one.click()
            return enabled

        self.until(clicked)

    def press(self, *keys: str) -> None:
        """Type to whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def enter(self, text: str) -> None:
        """Replace what is in the editor that is open, and press Enter."""
        one = self.find(".editor input")
        one.clear()
        one.send_keys(text, Keys.ENTER)

    def cell(self, label: str) -> str:
        """The selector of the button that shows a value, by the value's name."""
        return f'button.value[aria-label^="{label}:"]'

    def value(self, label: str, text: str) -> WebElement:
        """Wait until a value, by its name, is shown as a text."""
        return self.find(self.cell(label), text)

    def has_value(self, text: str) -> bool:
        """Whether nothing is being edited and a text is among the values."""
        return not self.texts(".editor") and text in self.texts("button.value")

    def tag(self, name: str) -> None:
        """Go to the view of a tag."""
        self.click("#tag-rows a", name)
        self.find("#tag-name", name)

    def shot(self, name: str) -> Path:
        """Keep what is seen, the whole page, as a picture."""
        SHOTS.mkdir(exist_ok=True)
        size = self.driver.execute_script("return [innerWidth, Math.min(document.documentElement.scrollHeight, 4000)]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        made = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip, "format": "png"}
        )
        path = SHOTS / f"{name}.png"
        path.write_bytes(base64.b64decode(made["data"]))
        return path

    def errors(self) -> list[str]:
        """What the console says since it was asked last."""
        return [one["message"] for one in self.driver.get_log("browser")]

    def asked(self) -> list[str]:
        """The URLs that were asked for since it was asked last."""
        events = [json.loads(one["message"])["message"] for one in self.driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]


@contextmanager
def opened(driver: webdriver.Chrome, site: Web, fragment: str = "", refusals: Sequence[str] = ()) -> Iterator[Page]:
    """The page of a site.  ``refusals``: parts of the lines that the browser itself writes about expected answers."""
    page = Page(driver, f"http://{site.host}/")
    page.look()
    page.errors(), page.asked()
    driver.get(f"{page.origin}{fragment}")
    try:
        yield page
        strange: Any = [line for line in page.errors() if not any(part in line for part in refusals)]
        assert strange == []
        foreign = [url for url in page.asked() if not url.startswith((page.origin, "data:", "about:"))]
        assert foreign == []
    finally:
        driver.get("about:blank")
