"""One table per row class of `ringback.ports.rows`, same names, same columns.

Decides: how a value becomes a column: int, str, bytes and bool as they are, everything else as JSON text. The schema
itself is made by the migrations; a test compares the two.
"""

from __future__ import annotations

import re
import types
import typing
from dataclasses import dataclass, fields

import msgspec
import sqlalchemy as sa

from ringback.ports.rows import KEYS, UNIQUE, Row

metadata = sa.MetaData()

PLAIN: dict[object, type[sa.types.TypeEngine[typing.Any]]] = {
    int: sa.BigInteger,
    str: sa.Text,
    bytes: sa.LargeBinary,
    bool: sa.Boolean,
}


def table_name(kind: type[Row]) -> str:
    """Return `device_now` for `DeviceNowRow`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Row")).lower()


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row and how it is stored. `json_type` is None for plain values."""

    name: str
    json_type: object | None

    def to_sql(self, value: object) -> object:
        """Return the value as the database keeps it."""
        return value if self.json_type is None else msgspec.json.encode(value).decode()

    def from_sql(self, value: object) -> object:
        """Return the value as the row has it."""
        if self.json_type is None:
            return value
        assert isinstance(value, str)
        return msgspec.json.decode(value, type=self.json_type)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A row class and its table."""

    kind: type[Row]
    table: sa.Table
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def values(self, row: Row) -> dict[str, object]:
        """Return the row's columns."""
        return {column.name: column.to_sql(getattr(row, column.name)) for column in self.columns}

    def row(self, found: typing.Iterable[object]) -> Row:
        """Return the row of one result, whose columns come in the order of `columns`."""
        kind = typing.cast(typing.Callable[..., Row], self.kind)
        return kind(*(column.from_sql(value) for column, value in zip(self.columns, found, strict=True)))


def _mapping(kind: type[Row]) -> Mapping:
    hints = typing.get_type_hints(kind)
    key = KEYS[kind]
    columns: list[Column] = []
    sql: list[sa.Column[object]] = []
    for field in fields(kind):
        hint, nullable = _without_none(hints[field.name])
        plain = PLAIN.get(hint)
        columns.append(Column(field.name, None if plain is not None else hint))
        sql.append(sa.Column(field.name, plain or sa.Text, primary_key=field.name in key, nullable=nullable))
    unique = [sa.UniqueConstraint(*UNIQUE[kind])] if kind in UNIQUE else []
    table = sa.Table(table_name(kind), metadata, *sql, *unique)
    return Mapping(kind, table, tuple(columns), key)


def _without_none(hint: object) -> tuple[object, bool]:
    if typing.get_origin(hint) is types.UnionType:
        others = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(others) == 1:
            return others[0], True
    return hint, False


MAPPINGS: dict[type[Row], Mapping] = {kind: _mapping(kind) for kind in KEYS}
