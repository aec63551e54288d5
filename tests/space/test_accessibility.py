"""axe-core, from npm, on the page before and after a query, in light and dark: no serious finding."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest

from tests.space.test_browser import ranked

pytestmark = pytest.mark.timeout(600)
VERSION = "4.11.0"


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    if shutil.which("npm") is None:
        pytest.skip("axe-core comes from npm, which is not here")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run(["npm", "pack", f"axe-core@{VERSION}"], cwd=folder, capture_output=True, timeout=120)
    if fetched.returncode:
        pytest.skip("axe-core cannot be fetched from npm")
    with tarfile.open(folder / f"axe-core-{VERSION}.tgz") as package:
        return package.extractfile("package/axe.min.js").read().decode()


def findings(page, axe):
    """Serious and critical findings: rule, and the elements it found."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['impact']} {rule['id']}: {[node['html'][:160] for node in rule['nodes'][:4]]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_has_no_serious_finding(visit, axe, dark):
    page = visit(dark=dark)
    start = findings(page, axe)
    ranked(page)
    page.locator("#cs-result summary").first.click()
    assert start + findings(page, axe) == []


def test_axe_on_the_other_tabs(visit, axe):
    page = visit(width=390)
    found = []
    for name in ("Hub", "Zip", "Pictures"):
        page.get_by_role("tab", name=name).click()
        found += findings(page, axe)
    for name in ("About", "API"):
        page.get_by_role("tab", name=name, exact=True).click()
        found += findings(page, axe)
    assert found == []
