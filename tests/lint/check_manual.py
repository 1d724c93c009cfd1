#!/usr/bin/env python3
"""Checks that every flag of varve's help stands in its manual page. usage: check_manual.py [VARVE]   (without: a build in build/release)"""
import pathlib
import re
import subprocess
import sys

top = pathlib.Path(__file__).resolve().parents[2]
program = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else top / "build/release/cli/varve"
if not program.exists():
    print(f"{program}: not built, nothing to compare with the manual page")
    sys.exit(0 if len(sys.argv) == 1 else 1)
manual = (top / "docs/man/varve.1").read_text().replace("\\-", "-")
help_text = subprocess.run([program, "--help-all"], check=True, capture_output=True, text=True).stdout
flags = sorted(set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_text)))
missing = [flag for flag in flags if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", re.sub(r"\\f.", " ", manual))]
for flag in missing:
    print(f"docs/man/varve.1: {flag} is missing")
if len(flags) < 20:
    print(f"only {len(flags)} flags found in the help: the check itself is broken")
sys.exit(1 if missing or len(flags) < 20 else 0)
