#!/usr/bin/env python3
"""Fails when a function, file or header outgrows its limit.

usage: check_sizes.py [--self-test]      prints a line "file:line: ..." for each breach; exit 1 if there is one
Functions are found by their braces, which is enough for code that clang-format laid out: a function's first line is less indented
than its body, and its last line is a "}" in the column of its first.
"""
import re
import sys
from pathlib import Path

FUNCTION_LINES = 70
FILE_LINES = 800
HEADER_LINES = 200
NOISE = re.compile(
    r"""(?:^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*) | //[^\n]* | /\*(?:.|\n)*?\*/
      | R"\w*\((?:.|\n)*?\)\w*" | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+'
      | (?:public|protected|private): | operator[^\w\s(]+""",
    re.VERBOSE | re.MULTILINE,
)
NOT_A_FUNCTION = re.compile(r"\s*(namespace|class|struct|union|enum|extern|if|for|while|switch|do|else|try|catch|return|case)\b")


def bare(text):
    """`text` with what could hold a misleading brace or sign blanked (macros, comments, strings, ...), its lines kept."""
    return NOISE.sub(lambda noise: "\n" * noise[0].count("\n") or " ", text)


def functions(text):
    """(first line, last line) of each function body with a block of its own; both count from 1."""
    open_blocks, head, head_line = [], "", 1
    for number, line in enumerate(bare(text).splitlines(), 1):
        for piece in re.split(r"([{};])", line):
            if piece == "{":
                is_function = ")" in head and not NOT_A_FUNCTION.match(head) and "=" not in head.split("(")[0]
                open_blocks.append(head_line if is_function else None)
                head = ""
            elif piece == "}":
                first = open_blocks.pop() if open_blocks else None
                if first and not any(open_blocks):
                    yield first, number
                head = ""
            elif piece == ";":
                head = ""
            elif piece.strip():
                head_line = head_line if head else number
                head += piece


def breaches(path, text):
    lines = text.count("\n")
    limit = HEADER_LINES if path.endswith(".h") else FILE_LINES
    if lines > limit:
        yield f"{path}:{lines}: {lines} lines, at most {limit} allowed"
    for first, last in functions(text):
        if last - first >= FUNCTION_LINES:
            yield f"{path}:{first}: a function of {last - first + 1} lines, at most {FUNCTION_LINES} allowed"


def self_test():
    code = """
namespace a {
#define BLOCK(x) \\
  if (x) {
class B : public C {
 public:
  explicit B(int x) : x_(x) {}
  bool operator==(const B&) const { return true; }
};
Result<int> F(const std::string& text,  // {
              int y) {
  for (int i = 0; i < y; ++i) {
    Call([&] { return "}"; });
  }
  return y;
}
const auto kTable = Make({1, 2});
template <class T>
  requires Small<T>
void G(T t) {
  if (t) {
    t = '{';
  }
}
}  // namespace a
"""
    assert list(functions(code)) == [(7, 7), (8, 8), (10, 16), (18, 24)], list(functions(code))
    long = "void F() {\n" + "  G();\n" * FUNCTION_LINES + "}\n"
    assert [b.split(" ", 1)[0] for b in breaches("x.cc", "\n" + long)] == ["x.cc:2:"]
    assert list(breaches("x.h", "\n" * HEADER_LINES)) == [] and len(list(breaches("x.h", "\n" * (HEADER_LINES + 1)))) == 1


def sources(root):
    return sorted(f for top in ("cached", "fuse", "cli") for f in (root / top).rglob("*") if f.suffix in (".h", ".cc"))


if __name__ == "__main__":
    self_test()
    root = Path(__file__).resolve().parents[2]
    files = [] if sys.argv[1:] == ["--self-test"] else sources(root)
    found = [b for f in files for b in breaches(f.relative_to(root).as_posix(), f.read_text())]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
