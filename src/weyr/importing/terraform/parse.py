"""What does a file in HCL's native syntax say? Text to a tree, or a Diagnostic with the line.

Own code, and not python-hcl2, which leaves every expression as text: see the decision on reading Terraform.
"""

import re
import textwrap
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.importing.terraform.syntax import (
    SPLAT_ELEMENT,
    Attribute,
    Binary,
    Block,
    Call,
    Conditional,
    Expression,
    For,
    Index,
    Literal,
    Mapped,
    Name,
    Sequence,
    Splat,
    Template,
    Unary,
)

_SPACE = re.compile(r"(?:[ \t\r]|#[^\n]*|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_HEREDOC = re.compile(r"<<(-?)([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\r?\n")
_PLAIN = re.compile(r"(?:\$\$\{|%%\{|(?![$%]\{|[\"\\\n]).)+")
_PLAIN_LINES = re.compile(r"(?:\$\$\{|%%\{|(?![$%]\{).)+", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",), ("&&",), ("==", "!="), ("<=", ">=", "<", ">"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
_LITERALS = {"true": True, "false": False, "null": None}
DIRECTIVE = "%{"
"""The name of a function that nobody has, so that its value is unknown."""
DEPTH_MAX = 60
"""Deeper nesting than anyone writes: a bound on the reader's own stack."""


def parse(text: str, file: str) -> Block:
    """The file as one block without a kind. Raises: UserError, with the line."""
    reader = _Reader(text, file)
    attributes, blocks = reader.body(end="")
    return Block("", (), attributes, blocks, f"{file}:1")


def parse_template(text: str, file: str) -> Expression:
    """A file for `templatefile`: text all of it. Raises: UserError."""
    return _Reader(text, file).template_until_end()


class _Reader:
    """A position in the text, and what may follow it. Newlines end an attribute, but not inside of brackets."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file, self.at, self.nested, self.depth = text.removeprefix("\ufeff"), file, 0, 0, 0

    def place(self) -> str:
        return f"{self.file}:{self.text.count(chr(10), 0, self.at) + 1}"

    def wrong(self, expected: str) -> UserError:
        found = self.text[self.at : self.at + 20].split("\n")[0] or "the end of the line"
        return UserError(
            Diagnostic("Not Terraform", f"{self.place()}: {expected} was expected, and there is `{found}`.")
        )

    def skip(self, lines: bool = False) -> None:
        match = (_SPACE_AND_LINES if lines or self.nested else _SPACE).match(self.text, self.at)
        self.at = match.end() if match else self.at

    def sees(self, token: str) -> bool:
        self.skip()
        return self.text.startswith(token, self.at)

    def take(self, token: str) -> bool:
        if self.sees(token):
            self.at += len(token)
            return True
        return False

    def need(self, token: str) -> None:
        if not self.take(token):
            raise self.wrong(f"`{token}`")

    def pattern(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match[0] if match else None

    # Bodies

    def body(self, end: str) -> tuple[dict[str, Expression], tuple[Block, ...]]:
        attributes: dict[str, Expression] = {}
        blocks: list[Block] = []
        while True:
            self.skip(lines=True)
            if end and self.take(end):
                return attributes, tuple(blocks)
            if self.at >= len(self.text) and not end:
                return attributes, tuple(blocks)
            place = self.place()
            name = self.pattern(_IDENTIFIER)
            if name is None:
                raise self.wrong("a name" if not end else f"a name or `{end}`")
            self.skip()
            if self.text.startswith("=", self.at) and not self.text.startswith("==", self.at):
                self.at += 1
                attributes[name] = self.expression()
            else:
                blocks.append(self.block(name, place))

    def block(self, kind: str, place: str) -> Block:
        labels: list[str] = []
        while not self.take("{"):
            word = self.pattern(_IDENTIFIER)
            if word is None:
                if not self.take('"'):
                    raise self.wrong("a label, `{` or `=`")
                label = self.quoted()
                word = str(label.value) if isinstance(label, Literal) else ""
            labels.append(word)
        outer, self.nested = self.nested, 0
        self.deeper()
        attributes, blocks = self.body("}")
        self.depth -= 1
        self.nested = outer
        return Block(kind, tuple(labels), attributes, blocks, place)

    # Expressions

    def expression(self) -> Expression:
        self.deeper()
        test = self.binary(0)
        if self.take("?"):
            self.skip(lines=True)
            yes = self.expression()
            self.skip(lines=True)
            self.need(":")
            self.skip(lines=True)
            test = Conditional(test, yes, self.expression())
        self.depth -= 1
        return test

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.wrong(f"fewer than {DEPTH_MAX} things within one another")

    def binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while operator := next((o for o in _LEVELS[level] if self.sees(o)), None):
            self.at += len(operator)
            self.skip(lines=True)
            left = Binary(operator, left, self.binary(level + 1))
        return left

    def unary(self) -> Expression:
        for operator in ("!", "-"):
            if self.take(operator):
                self.deeper()
                operand = self.unary()
                self.depth -= 1
                return Unary(operator, operand)
        return self.traversed(self.primary())

    def traversed(self, expression: Expression) -> Expression:
        """What follows a value without a gap: `.name`, `[key]`, `[*]`, `.*`, `.0`."""
        while True:
            after = self.text[self.at + 1 : self.at + 2]
            if self.text.startswith("[*]", self.at):
                self.at += 3
                return Splat(expression, self.traversed(Name(SPLAT_ELEMENT)))
            if self.text.startswith(".*", self.at):
                self.at += 2
                expression = Splat(expression, self.attributes(Name(SPLAT_ELEMENT)))
                continue
            if self.text.startswith(".", self.at) and (after.isalpha() or after == "_"):
                self.at += 1
                expression = Attribute(expression, self.pattern(_IDENTIFIER) or "")
            elif self.text.startswith(".", self.at) and after.isdigit():
                self.at += 1
                expression = Index(expression, Literal(int(self.pattern(re.compile(r"\d+")) or 0)))
            elif self.text.startswith("[", self.at):
                self.at += 1
                expression = Index(expression, self.inside("]"))
            else:
                return expression

    def attributes(self, expression: Expression) -> Expression:
        """The names after the older `.*`: an index behind them is one of the whole list."""
        while self.text.startswith(".", self.at) and (name := _IDENTIFIER.match(self.text, self.at + 1)):
            self.at = name.end()
            expression = Attribute(expression, name[0])
        return expression

    def inside(self, end: str) -> Expression:
        self.nested += 1
        value = self.expression()
        self.need(end)
        self.nested -= 1
        return value

    def primary(self) -> Expression:
        self.skip()
        if heredoc := _HEREDOC.match(self.text, self.at):
            return self.heredoc(heredoc)
        if self.take('"'):
            return self.quoted()
        if self.take("("):
            return self.inside(")")
        if self.take("["):
            return self.sequence()
        if self.take("{"):
            return self.mapped()
        if number := self.pattern(_NUMBER):
            return Literal(int(number) if number.isdigit() else Decimal(number))
        word = self.pattern(_IDENTIFIER)
        if word is None:
            raise self.wrong("a value")
        if word in _LITERALS:
            return Literal(_LITERALS[word])
        if self.text.startswith("(", self.at):
            self.at += 1
            return self.call(word)
        return Name(word)

    def call(self, function: str) -> Expression:
        self.nested += 1
        arguments: list[Expression] = []
        spreads = False
        while not self.take(")"):
            arguments.append(self.expression())
            spreads = self.take("...") or spreads
            if not self.take(",") and not self.sees(")"):
                raise self.wrong("`,` or `)`")
        self.nested -= 1
        return Call(function, tuple(arguments), spreads)

    def sequence(self) -> Expression:
        self.nested += 1
        result = self.loop("]") if self.word_ahead("for") else None
        if result is None:
            items: list[Expression] = []
            while not self.take("]"):
                items.append(self.expression())
                if not self.take(",") and not self.sees("]"):
                    raise self.wrong("`,` or `]`")
            result = Sequence(tuple(items))
        self.nested -= 1
        return result

    def mapped(self) -> Expression:
        self.nested += 1
        result = self.loop("}") if self.word_ahead("for") else None
        if result is None:
            items: list[tuple[Expression, Expression]] = []
            while not self.take("}"):
                key = self.expression()
                if not self.take("="):
                    self.need(":")
                items.append((Literal(key.name) if isinstance(key, Name) else key, self.expression()))
                self.take(",")
            result = Mapped(tuple(items))
        self.nested -= 1
        return result

    def word_ahead(self, word: str) -> bool:
        self.skip()
        match = _IDENTIFIER.match(self.text, self.at)
        rest = self.text[match.end() :].lstrip() if match else ""
        return bool(match and match[0] == word and not rest.startswith(("=", ":")))

    def word(self) -> str:
        self.skip()
        word = self.pattern(_IDENTIFIER)
        if word is None:
            raise self.wrong("a name")
        return word

    def loop(self, end: str) -> Expression:
        self.word()
        key_name, value_name = None, self.word()
        if self.take(","):
            key_name, value_name = value_name, self.word()
        if self.word() != "in":
            raise self.wrong("`in`")
        of = self.expression()
        self.need(":")
        key, value = None, self.expression()
        if end == "}":
            self.need("=>")
            key, value = value, self.expression()
        groups = self.take("...")
        test = None
        if self.word_ahead("if"):
            self.word()
            test = self.expression()
        self.need(end)
        return For(key_name, value_name, of, key, value, test, groups)

    # Templates

    def quoted(self) -> Expression:
        parts: list[Expression] = []
        while not self.text.startswith('"', self.at):
            if self.text.startswith("\\", self.at):
                parts.append(Literal(self.escape()))
            elif plain := self.pattern(_PLAIN):
                parts.append(Literal(plain.replace("$${", "${").replace("%%{", "%{")))
            else:
                parts.append(self.interpolation())
        self.at += 1
        return _joined(parts)

    def escape(self) -> str:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter in ("u", "U"):
            digits = 4 if letter == "u" else 8
            code = self.text[self.at + 2 : self.at + 2 + digits]
            self.at += 2 + digits
            try:
                return chr(int(code, 16))
            except (ValueError, OverflowError):
                raise self.wrong("a character's number in hexadecimal") from None
        if letter not in _ESCAPES:
            raise self.wrong('one of the escapes \\n, \\r, \\t, \\", \\\\, \\u')
        self.at += 2
        return _ESCAPES[letter]

    def interpolation(self) -> Expression:
        if self.text.startswith("%{", self.at):
            return self.directive()
        if not self.text.startswith("${", self.at):
            raise self.wrong('the closing `"`')
        self.at += 2
        self.take("~")
        self.nested += 1
        value = self.expression()
        self.take("~")
        self.need("}")
        self.nested -= 1
        return Template((value,))

    def directive(self) -> Expression:
        """`%{ if x }` and its like: read, and what they make of the text is not known. Nothing is priced by that."""
        self.at += 2
        self.nested += 1
        self.take("~")
        match self.word():
            case "if":
                self.expression()
            case "for":
                self.word()
                if self.take(","):
                    self.word()
                self.word()
                self.expression()
            case "else" | "endif" | "endfor":
                pass
            case _:
                raise self.wrong("`if`, `for`, `else` or their ends")
        self.take("~")
        self.need("}")
        self.nested -= 1
        return Template((Call(DIRECTIVE, ()),))

    def heredoc(self, match: re.Match[str]) -> Expression:
        end = re.compile(rf"^[ \t]*{re.escape(match[2])}[ \t]*\r?$", re.MULTILINE).search(self.text, match.end())
        if end is None:
            raise self.wrong(f"a line with `{match[2]}` after it")
        body = self.text[match.end() : end.start()]
        inner = _Reader(textwrap.dedent(body) if match[1] else body, self.place())
        self.at = end.end()
        inner.depth = self.depth
        return inner.template_until_end()

    def template_until_end(self) -> Expression:
        parts: list[Expression] = []
        while self.at < len(self.text):
            plain = self.pattern(_PLAIN_LINES)
            parts.append(Literal(plain.replace("$${", "${").replace("%%{", "%{")) if plain else self.interpolation())
        return _joined(parts)


def _joined(parts: list[Expression]) -> Expression:
    if all(isinstance(part, Literal) for part in parts):
        return Literal("".join(str(part.value) for part in parts if isinstance(part, Literal)))
    if len(parts) == 1 and isinstance(parts[0], Template):
        return parts[0]
    return Template(tuple(parts))
