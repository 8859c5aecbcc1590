"""Lists the slowest twenty tests of a run, from the reports in a folder: slowest.py FOLDER"""

import pathlib
import sys
import xml.etree.ElementTree

tests = []
for report in pathlib.Path(sys.argv[1]).glob("*.xml"):
    for test in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{test.get('classname')}.{test.get('name')}"
        tests.append((float(test.get("time")), report.stem, name))
print(f"The slowest twenty of {len(tests)} tests, in seconds:")
for seconds, suite, name in sorted(tests, reverse=True)[:20]:
    print(f"{seconds:8.1f}  {suite}: {name}")
