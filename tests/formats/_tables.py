"""Tables as the clients of OpenStack and of MySQL draw them."""


def boxed(*rows: str) -> str:
    """A table of rows whose cells are parted by ``|``; the first row is the heading."""
    cells = [row.split("|") for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    drawn = ["| " + " | ".join(map(str.ljust, row, widths)) + " |\n" for row in cells]
    return rule + drawn[0] + rule + "".join(drawn[1:]) + rule
