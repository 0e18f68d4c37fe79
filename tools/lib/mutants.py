# SPDX-License-Identifier: Apache-2.0
"""Finds the mutants of a C++ file: each is one small change of one statement.

A mutant is known by its file, its function and the text of its statement before and after, with
white space collapsed: moving or reformatting code changes none of them.
"""
import collections
import re

Mutant = collections.namedtuple("Mutant", "file line start end new function before after")

NUMBER = r"(?<![\w.'%])(\d+)(U?)(?![\w.'])"
HEX = r"(?<![\w.'])0x([0-9A-Fa-f]+)(U?)(?![\w.'])"
COMPARED = r"(?<=[\w)\]]\s)%s(?=\s+[\w(~:*&-])"


def hexadecimal(change):
    return lambda m: f"0x{change(int(m[1], 16)):0{len(m[1])}X}{m[2]}"


def operator(old, *new):
    """The operator between white space, as clang-format sets it."""
    return [(rf"(?<=\s){re.escape(old)}(?=\s)", one) for one in new]


# (what to find, what to put there).
CHANGES = [
    (COMPARED % "<", "<="), (COMPARED % "<", ">="), (COMPARED % ">", ">="), (COMPARED % ">", "<="),
    *operator("<=", "<"), *operator(">=", ">"), *operator("==", "!="), *operator("!=", "=="),
    *operator("&&", "||"), *operator("||", "&&"), *operator("^", "|"), *operator("|", "&"),
    (r"(?<=\s)&(?=\s)(?!\s+\w+\))", "|"), *operator("+", "-"), *operator("-", "+"),
    *operator("%", "/"), *operator("/", "%"), *operator("<<", ">>"), *operator(">>", "<<"),
    *operator("+=", "-="), *operator("-=", "+="), *operator("&=", "|="), *operator("|=", "&="),
    (r"(?<=[\s(])!(?=\w)", ""), (r"(?<=[\s(])~(?=\w)", ""),
    (NUMBER, lambda m: f"{int(m[1]) + 1}{m[2]}"),
    (NUMBER, lambda m: f"{max(int(m[1]) - 1, 0)}{m[2]}"),
    (HEX, hexadecimal(lambda n: n + 1)), (HEX, hexadecimal(lambda n: n & (n - 1))),
    (HEX, hexadecimal(lambda n: n & ~(1 << n.bit_length() >> 1))),
    (r"\bstd::min\(", "std::max("), (r"\bstd::max\(", "std::min("),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
]
# Statements without an effect of their own, or that only the compiler evaluates.
NO_CODE = re.compile(r"\s*(template\b(?!.*\bconcept\b)|using\b|namespace\b|static_assert\b|friend\b)"
                     r"|.*\boperator\b|.*= (default|delete);$", re.S)
# A call or an assignment: what is left without it is an empty statement.
REMOVABLE = re.compile(r"(?!(?:return|for|if|while|switch|case|throw)\b)[\w.>\[\]:*-]+(?:\(|\s[-+|&^]?=\s)"
                       r".*;$", re.S)
BLOCK_HEAD = re.compile(r"((?:\)|\bconst)(?:\s*&&?)?|\]|\belse|\bdo|\btry|\bnoexcept|\bmutable|\boverride"
                        r"|->\s*[\w:<>&*,\s]+)\s*$|^\s*$")
TYPE_HEAD = re.compile(r"\s*(?:(?:public|private|protected):\s*)*(?:template\s*<.*>\s*)?(?:inline\s+)?(namespace|struct|class|enum|union|extern)\b",
                       re.S)
CONTROL_HEAD = re.compile(r"\s*(?:\}\s*)?(if|else|for|while|do|switch|try|catch)\b|.*\[[&=\w\s,.*]*\]\s*(\(|$|\{)",
                          re.S)

NO_FUNCTION = {"requires", "static_assert", "noexcept", "decltype", "sizeof", "alignof", "__attribute__", "explicit"}


def masked(text):
    """The text with comments, literals, attributes and preprocessor lines blanked out."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    pattern = (r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|\[\[.*?\]\]'
               r"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*")
    return re.sub(pattern, blank, text, flags=re.S | re.M)


def normalised(text):
    """With white space where clang-format leaves it on one line of any length."""
    text = re.sub(r'"\s+"', "", text)  # parts of one literal
    text = re.sub(r"(?<=[\w>])(<)\s+(?=\S)|(?<=[(\[{])\s+|\s+(?=[)\]}.]|->)", r"\1", text)
    return " ".join(text.split())


def function_of(head, outer):
    """The name of what the block with this head is the body of."""
    if CONTROL_HEAD.match(head) or not head.strip():
        return outer
    if TYPE_HEAD.match(head):
        name = re.search(r"\b(?:struct|class|enum|union)\s+(?:class\s+)?([\w:]+)(?!.*\bclass\b)", head, re.S)
        return name[1] if name else outer
    names = re.findall(r"([~\w:]+)\s*\(", head)
    return next((name for name in names if name not in NO_FUNCTION), outer)


def statements(code):
    """Yields (start, end, function) of each statement and each head of a block in masked code."""
    enclosing = [("block", "")]
    start = 0
    for at, char in enumerate(code):
        kind, function = enclosing[-1]
        if char in "([":
            enclosing.append((char, function))
        elif char in ")]":
            enclosing.pop()
        elif char == "{":
            head = code[start:at]
            if kind == "init" or not (BLOCK_HEAD.search(head) or TYPE_HEAD.match(head)):
                enclosing.append(("init", function))
                continue
            yield start, at, function_of(head, function)
            enclosing.append(("block", function_of(head, function)))
            start = at + 1
        elif char == "}":
            enclosing.pop()
            if kind == "block":
                start = at + 1
        elif char == ";" and kind == "block":
            yield start, at + 1, function
            start = at + 1


def never(code, start, end):
    """Yields (start, end, replacement) that make each `if` of a statement never hold."""
    for match in re.finditer(r"\bif \((?!const |auto )", code[start:end]):
        first = at = start + match.end()
        depth = 1
        while depth and at < len(code):
            depth += {"(": 1, ")": -1}.get(code[at], 0)
            at += 1
        if ";" not in code[first:at]:
            yield first, at - 1, "false && (%s)"


def replacements(code, start, end):
    for first, last, new in never(code, start, end):
        yield first, last, new
    for pattern, put in CHANGES:
        for match in re.compile(pattern).finditer(code, start, end):
            yield match.start(), match.end(), put(match) if callable(put) else put
    body = re.search(r"\S", code[start:end])
    if body and REMOVABLE.match(code[start + body.start():end]):
        yield start + body.start(), end, ";"


def mutants_of(file, text):
    """Each different from the original and from the others, in the order of their lines."""
    code = masked(text)
    found = {}
    for start, end, function in statements(code):
        if NO_CODE.match(code[start:end]):
            continue
        for first, last, new in replacements(code, start, end):
            new = new % text[first:last] if "%s" in new else new
            before = normalised(without_comments(text, code, start, end))
            after = normalised(without_comments(text, code, start, first) + new +
                               without_comments(text, code, last, end))
            if before != after:
                line = text.count("\n", 0, first) + 1
                found.setdefault((first, last, new),
                                 Mutant(file, line, first, last, new, function, before, after))
    return sorted(found.values(), key=lambda mutant: (mutant.line, mutant.start))


def without_comments(text, code, start, end):
    """Literals stay: what is blank in the code and no comment."""
    if "//" not in text[start:end] and "/*" not in text[start:end]:
        return text[start:end]
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text[start:end], flags=re.S)
