"""A store of tables with policies, two collections and two tenants, and callers who see different parts of it."""

from pathlib import Path

from tools.base import Caller
from tools.base.access import DEFAULT, Reach
from tools.tables import TablesConfig
from tools.tables.loading import load

__all__ = ["BOSS", "NORTH", "OTHERS", "STAFF", "STRANGER", "guarded"]

NORTH = Reach(Caller(subject="anna", groups=frozenset({"nord"})))
"""Sees the rows of one district, not the column with the clerk's remark."""
BOSS = Reach(Caller(subject="chef", groups=frozenset({"leitung"})))
"""Sees all of the collection."""
STRANGER = Reach(Caller(subject="zoe"))
"""Of the tenant, and in no group."""
STAFF = Reach(Caller(subject="anna", groups=frozenset({"nord", "personal"})), {DEFAULT: None, "staff": None})
"""Reads a second collection, too."""
OTHERS = Reach(Caller(subject="anna", tenant="neustadt", groups=frozenset({"nord", "leitung"})))
"""Of another tenant, with groups of the same names."""

_POLICY = """
[tables.cases]
title = "Vorgänge"
description = "Ein Vorgang je Zeile"

[tables.cases.columns.amount]
description = "Festgesetzter Betrag"
unit = "EUR"

[tables.cases.columns.remark]
readers = { groups = ["leitung"] }

[tables.cases.columns.office_id]
references = "offices.id"

[[tables.cases.rows]]
where = [{ column = "district", caller = "groups" }]

[[tables.cases.rows]]
readers = { groups = ["leitung"] }

[tables.plans]
readers = { groups = ["leitung"] }
"""


def guarded(folder: Path, **settings: object) -> TablesConfig:
    """Loads it. What NORTH may not see holds the words HIDDEN, SECRET or PLAN; hidden amounts are 900 and more."""
    source, staff = folder / "in", folder / "staff"
    source.mkdir()
    staff.mkdir()
    (source / "cases.csv").write_text(
        "id,district,office_id,amount,note,divisor,remark\n"
        "1,nord,1,10,11,1,SECRET-1\n"
        "2,nord,2,20,22,2,SECRET-2\n"
        "3,nord,1,30,33,3,SECRET-3\n"
        "4,sued,2,900,HIDDEN-4,0,SECRET-4\n"
        "5,sued,2,901,HIDDEN-5,0,SECRET-5\n"
        "6,west,1,999,HIDDEN-6,0,SECRET-6\n",
        encoding="utf-8",
    )
    (source / "offices.csv").write_text("id,office,phone\n1,Bürgeramt,01234\n2,Bauamt,05678\n", encoding="utf-8")
    (source / "plans.csv").write_text("id,plan\n1,PLAN-A\n", encoding="utf-8")
    (source / "tables.toml").write_text(_POLICY, encoding="utf-8")
    (staff / "salaries.csv").write_text("name,salary_secret\nanna,SECRET-7\n", encoding="utf-8")
    (staff / "offices.csv").write_text("id,office,rent_secret\n9,HIDDEN-9,1\n", encoding="utf-8")
    config = TablesConfig.model_validate({"home": folder / "store", "workers": 1, **settings})
    load(source, config=config)
    load(staff, config=config, collection="staff")
    load(staff, config=config, tenant="neustadt", collection="staff")
    return config
