#!/usr/bin/env python3
"""Checks that every command and flag in a program's help stands in its manual page, each flag where its command does, and that
varve completes them (the shells' scripts ask it: tests/e2e/completion_test.py).

usage: check_manual.py [DIRECTORY]...    where the programs are (without: a build in build/release)
"""
import pathlib
import re
import subprocess
import sys

top = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = [("varve", "varve.1", 60, 200), ("varve-cached", "varve-cached.8", 1, 4),
            ("varve-fuse", "varve-fuse.8", 1, 5)]  # and how many commands and flags it has at least
AS_IN = {"create": "run", "exec": "run"}  # commands that take the options of another, and say so
OF_ALL = {"-h", "--help", "--help-all"}
FLAG = r"(?<![\w-])--?[a-zA-Z][a-z-]*"


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commands_of(program, words=()):
    """Each command as its words, with the flags that it takes and the commands below it."""
    help_text = said(program, *words, "--help")
    rows = re.findall(r"^  (-\S+)", help_text, re.M)
    below = re.findall(r"^  ([a-z][\w-]*)", help_text.partition("Subcommands:\n")[2], re.M)
    yield words, set(re.findall(FLAG, " ".join(rows))), below
    for name in below:
        yield from commands_of(program, (*words, name))


def entries_of(page, names):
    """What the page says of each command; of the program itself, under "", all of it."""
    entries, current = {"": page}, []
    for line in page.splitlines():
        heads = re.findall(r"(?:^\.B |\\fB)([a-z][a-z -]*?) ?(?=\\fR|$)", line.replace("\\-", "-")) if line.startswith(".B ") else []
        if line.startswith(".SH") or any(head in names for head in heads):
            current = [head for head in heads if head in names]
        for name in current:
            entries[name] = entries.get(name, "") + line + "\n"
    return entries


def complaints(program, page, least_commands, least_flags):
    commands = list(commands_of(program))
    flags = sum(len(flags) for _, flags, _ in commands)
    if len(commands) < least_commands or flags < least_flags:
        yield f"only {len(commands)} commands and {flags} flags found in the help of {program}: the check itself is broken"
    entries = entries_of((top / "docs/man" / page).read_text(), {" ".join(words) for words, _, _ in commands})
    for words, flags, below in commands:
        name = " ".join(words)
        if not below and name not in entries:
            yield f"docs/man/{page}: {name} is missing"
            continue
        text = entries.get(name, "") + entries.get(AS_IN.get(name), "")
        described = set(re.findall(FLAG, re.sub(r"\\f.", " ", text.replace("\\-", "-"))))
        for flag in sorted(flags - described - (OF_ALL if words else set())):
            yield f"docs/man/{page}: {name}: {flag} is missing"
        if len(commands) == 1:
            continue
        for typed, wanted in (("", set(below)), ("--", {flag for flag in flags if flag.startswith("--")})):
            completed = {row.split("\t")[0] for row in said(program, "__complete", "--", *words, typed).splitlines()}
            for word in sorted(wanted - completed):
                yield f"completion: {name} {word} is missing"


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
