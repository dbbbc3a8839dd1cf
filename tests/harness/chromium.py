"""A real Chromium, used as by somebody who reads labels and texts."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

WAIT = 30.0


class Person:
    """Somebody at a browser. All that is looked for is waited for."""

    def __init__(self, driver: Chrome, address: str) -> None:
        self.driver = driver
        self.address = address

    def open(self, path: str) -> None:
        self.driver.get(f"{self.address}{path}")

    def text(self) -> str:
        """What the page shows, in one line."""
        return " ".join(self.driver.find_element(By.TAG_NAME, "body").text.split())

    def see(self, text: str) -> None:
        """Waits until the page shows a text."""
        self.until(lambda: text in self.text(), f"{text!r} is not shown")

    def click(self, text: str) -> None:
        """Clicks the link or button with that text, and waits for what it leads to."""
        path = f"//*[self::a or self::button or self::summary][normalize-space()={_literal(text)}]"

        def clicked() -> bool:
            # A script may replace the element between the look and the click, which has not happened then.
            self._find(By.XPATH, path).click()
            return True

        self.until(clicked, f"{text!r} cannot be clicked")

    def fill(self, label: str, value: str) -> None:
        """Enters a text into the field with that label."""
        field = self.field(label)
        field.clear()
        field.send_keys(value)

    def tick(self, label: str) -> None:
        """Ticks the box with that label, or switches it on."""

        def ticked() -> bool:
            field = self.field(label)
            if not field.is_selected():
                field.click()
            return True

        self.until(ticked, f"{label!r} cannot be ticked")

    def choose(self, label: str, option: str) -> None:
        """Chooses from the menu with that label."""
        Select(self.field(label)).select_by_visible_text(option)

    def field(self, label: str) -> WebElement:
        texts = (_literal(label), _literal(f"{label} optional"))
        path = f"//label[{' or '.join(f'normalize-space()={text}' for text in texts)}]"
        name = self._find(By.XPATH, path).get_attribute("for")
        return self._find(By.ID, str(name))

    def log_in(self, token: str) -> None:
        """Logs in, out of whatever session there is."""
        self.open("/login")
        self.driver.delete_all_cookies()
        self.open("/login")
        self.fill("Access token", token)
        self.click("Log in")
        self.see("Log out")

    def press(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """What has the focus, as a screen reader names it."""
        return str(self.driver.switch_to.active_element.accessible_name)

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(script, *values)

    def resize(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Shows the page at another size, in pixels, or in the dark theme."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def _find(self, by: str, what: str) -> WebElement:
        found: list[WebElement] = []

        def visible() -> bool:
            found[:] = [one for one in self.driver.find_elements(by, what) if one.is_displayed()]
            return bool(found)

        self.until(visible, f"there is no {what}")
        return found[0]

    def until(self, is_so: Any, problem: str) -> None:
        """Waits for a condition: scripts may replace the page while it is looked at."""

        def holds(_driver: Chrome) -> bool:
            try:
                return bool(is_so())
            except StaleElementReferenceException:
                return False

        try:
            WebDriverWait(self.driver, WAIT, poll_frequency=0.05).until(holds)
        except WebDriverException:
            raise AssertionError(f"{problem}: {self.text()[:1500]}") from None


@contextmanager
def chromium(address: str, *, scripts: bool = True) -> Iterator[Person]:
    """A browser of its own, without a window. `scripts`: whether pages may run any."""
    for binary, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        assert shutil.which(binary), (
            f"{binary} is not installed; on Debian: apt-get install {package}"
        )
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    if not scripts:
        blocked = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", blocked)
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    try:
        person = Person(driver, address)
        person.resize(1280)
        yield person
    finally:
        driver.quit()


def _literal(text: str) -> str:
    assert '"' not in text
    return f'"{text}"'
