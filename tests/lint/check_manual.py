#!/usr/bin/env python3
"""Checks that every flag in a program's help stands in its manual page.

usage: check_manual.py [DIRECTORY]...    where the programs are (without: a build in build/release)
"""
import pathlib
import re
import subprocess
import sys

top = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = [("varve", "--help-all", "varve.1", 20), ("varve-cached", "--help", "varve-cached.8", 4),
            ("varve-fuse", "--help", "varve-fuse.8", 5)]  # and how many flags it has at least
FLAG = r"(?<![\w-])--?[a-zA-Z][a-z-]*"


def complaints(program, help_flag, page, least):
    manual = re.sub(r"\\f.", " ", (top / "docs/man" / page).read_text().replace("\\-", "-"))
    help_text = subprocess.run([program, help_flag], check=True, capture_output=True, text=True).stdout
    flags, described = set(re.findall(FLAG, help_text)), set(re.findall(FLAG, manual))
    if len(flags) < least:
        yield f"only {len(flags)} flags found in the help of {program}: the check itself is broken"
    for flag in sorted(flags - described):
        yield f"docs/man/{page}: {flag} is missing"


directories = [pathlib.Path(argument) for argument in sys.argv[1:]]
failed = False
for name, *rest in PROGRAMS:
    found = [path for path in ([directory / name for directory in directories] or
                               (top / "build/release").glob(f"*/{name}")) if path.is_file()]
    if not found:
        print(f"{name}: not built, nothing to compare with the manual page")
        failed |= bool(directories)
        continue
    for complaint in complaints(found[0], *rest):
        print(complaint)
        failed = True
sys.exit(1 if failed else 0)
