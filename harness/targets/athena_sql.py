"""Files of Athena's SQL: their statements, their placeholders, and their translation for Trino.

Trino's own DDL can't name the mappings of a JSON serde, but its metastore can: it holds what AWS's
Glue would hold. So a ``CREATE EXTERNAL TABLE`` becomes a table of Trino's file metastore, and the
statement that users paste into Athena is the one that is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import sqlglot
from sqlglot import exp

from harness.model import HarnessError

#: The formats of Trino's metastore by the name of the serde, or by the word after STORED AS.
_FORMATS = {
    "org.openx.data.jsonserde.JsonSerDe": "OPENX_JSON",
    "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe": "TEXTFILE",
    "PARQUET": "PARQUET",
}
_VERSION = "476"


def statements(text: str) -> list[exp.Expr]:
    """The statements of a file of Athena."""
    return [each for each in sqlglot.parse(text, read="athena") if each is not None]


def texts(text: str) -> list[str]:
    """The statements as they stand, without comments on lines of their own."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [each.strip() for each in f"{'\n'.join(lines)}\n".split(";\n") if each.strip()]


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder. Raises ``HarnessError`` if the text lacks one."""
    for placeholder, value in values.items():
        if placeholder not in text:
            raise HarnessError(f"the SQL has no placeholder {placeholder}")
        text = text.replace(placeholder, value)
    return text


def for_trino(statement: exp.Expr) -> tuple[str, Mapping[str, str]]:
    """The statement for Trino, and the session's properties that it needs.

    Athena's statement names the compression of its files; Trino has a property for it.
    """
    changed = statement.copy()
    session = {}
    for each in list(changed.find_all(exp.Property)):
        if type(each) is exp.Property and each.name == "write_compression":
            session["hive.compression_codec"] = each.args["value"].name
            each.pop()
    return changed.sql(dialect="trino"), session


def is_external_table(statement: exp.Expr) -> bool:
    return isinstance(statement, exp.Create) and statement.find(exp.ExternalProperty) is not None


def ignore_malformed(table: exp.Expr) -> None:
    """Let the serde of a table without settings pass over the lines that it can't read."""
    serde = table.find(exp.RowFormatSerdeProperty)
    assert serde is not None
    assert serde.args.get("serde_properties") is None
    ignores = exp.Property(
        this=exp.Literal.string("ignore.malformed.json"), value=exp.Literal.string("true")
    )
    serde.set("serde_properties", exp.SerdeProperties(expressions=[ignores]))


def create_table(statement: exp.Expr, metastore: Path, schema: str) -> str:
    """Put the table into the metastore, and return its name. The schema must exist there."""
    if not is_external_table(statement):
        raise HarnessError(f"no CREATE EXTERNAL TABLE: {statement.sql()[:80]}")
    folder = metastore / schema / str(statement.this.this.name)
    folder.mkdir(parents=True)
    (folder / ".trinoSchema").write_text(json.dumps(metastore_table(statement), indent=1))
    return folder.name


def metastore_table(statement: exp.Expr) -> dict[str, object]:
    """The content of the table's ``.trinoSchema``."""
    partitions = statement.find(exp.PartitionedByProperty)
    location = statement.find(exp.LocationProperty)
    serde = statement.find(exp.RowFormatSerdeProperty)
    stored = statement.find(exp.FileFormatProperty)
    if location is None or (serde is None and stored is None):
        raise HarnessError("a table needs a LOCATION, and ROW FORMAT SERDE or STORED AS")
    own = [each for each in statement.args["properties"].expressions if type(each) is exp.Property]
    return {
        "writerVersion": _VERSION,
        "owner": "harness",
        "tableType": "EXTERNAL_TABLE",
        "dataColumns": [_column(each) for each in statement.this.expressions],
        "partitionColumns": [_column(each) for each in partitions.this.expressions]
        if partitions is not None
        else [],
        "parameters": {"EXTERNAL": "TRUE", **_pairs(own)},
        **_storage_format(serde, stored),
        "serdeParameters": _serde_parameters(serde),
        "externalLocation": location.this.name,
        "columnStatistics": {},
    }


def _storage_format(
    serde: exp.RowFormatSerdeProperty | None, stored: exp.FileFormatProperty | None
) -> dict[str, object]:
    """By a name of Trino's, or by the names of the classes where the statement gives them."""
    form = serde.this if serde is not None else stored.this if stored is not None else ""
    named = form.name if isinstance(form, exp.Expr) else str(form)
    if stored is not None and isinstance(stored.this, exp.InputOutputFormat):
        classes = {
            "inputFormat": stored.this.args["input_format"].name,
            "outputFormat": stored.this.args["output_format"].name,
        }
        return {"originalStorageFormat": {"serde": named, **classes}}
    if named not in _FORMATS:
        raise HarnessError(f"{named} is none of the known formats: {', '.join(_FORMATS)}")
    return {"storageFormat": _FORMATS[named]}


def _column(definition: exp.Expr) -> dict[str, object]:
    kind = definition.args["kind"].sql(dialect="hive").lower().replace(" ", "")
    return {"name": definition.name.lower(), "type": kind, "properties": {}}


def _serde_parameters(serde: exp.RowFormatSerdeProperty | None) -> dict[str, str]:
    given = None if serde is None else serde.args.get("serde_properties")
    return {} if given is None else _pairs(given.expressions)


def _pairs(properties: Iterable[exp.Expr]) -> dict[str, str]:
    return {each.name: each.args["value"].name for each in properties}
