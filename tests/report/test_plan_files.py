"""The forms of a plan: a CSV that `probe` reads once times are in it, a page that loads nothing, scripts that run."""

import ast
import csv
import io
import subprocess

from wiretally.measure.inputs import read_visits
from wiretally.measure.visit_plan import PlanOptions, plan
from wiretally.report import plan_files

PLAN = plan(["https://pages.example/a?x=1"], ["normal", "incognito"], PlanOptions(per_session=4))


def test_the_table_is_read_back_once_it_has_times(tmp_path):
    rows = list(csv.DictReader(io.StringIO(plan_files.as_csv(PLAN, 1))))
    assert [int(row["pad"]) for row in rows] == [each.pad for each in PLAN]
    for at, row in enumerate(rows):
        row["time"] = f"2026-11-24T10:{at // 60:02d}:{at % 60:02d}Z"
    path = tmp_path / "visits.csv"
    with path.open("w", newline="") as file:
        written = csv.DictWriter(file, plan_files.COLUMNS)
        written.writeheader()
        written.writerows(rows)
    assert [(visit.url, visit.pad) for visit in read_visits(str(path))] == [(each.url, each.pad) for each in PLAN]


def test_the_page_stands_alone():
    page = plan_files.as_html(PLAN, 1)
    assert "default-src 'none'" in page
    assert page.count("</script>") == 1
    assert " src=" not in page
    assert PLAN[0].url.replace("&", "\\u0026") in page or PLAN[0].url in page


def test_a_url_cannot_leave_the_script():
    evil = [PLAN[0]._replace(url="https://x/</script><script>alert(1)")]
    assert plan_files.as_html(evil, 1).count("<script>") == 1


def test_the_scripts_are_scripts():
    ast.parse(plan_files.as_script(PLAN, 1, "webdriver"))
    shell = plan_files.as_script(PLAN, 1, "adb")
    assert subprocess.run(["bash", "-n"], input=shell, text=True, check=False).returncode == 0
    assert shell.count("\nvisit ") == len(PLAN)
