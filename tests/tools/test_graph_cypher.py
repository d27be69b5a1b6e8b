import pytest

from tools.base import Refused
from tools.graph.cypher import checked


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (n) RETURN n",
        "match (n:Person) where n.name = 'CREATE; DROP' return n.name as name order by name skip 1 limit 2",
        "OPTIONAL MATCH (a)-[r:leitet|bietet_an*1..2]->(b) RETURN *",
        "MATCH (a)--(b) RETURN count(*)",
        "MATCH p = (a)-[* SHORTEST 1..3]-(b) WHERE a.id = $start AND (b.id IN [1, 2]) RETURN nodes(p), rels(p)",
        "UNWIND [1, 2] AS x WITH x WHERE x > 1 RETURN CASE WHEN (x = 2) THEN 'a' ELSE 'b' END",
        "MATCH (n) WHERE EXISTS { MATCH (n)-[:leitet]->() } RETURN lower(n.name), COUNT(DISTINCT n)",
        "MATCH (n:`Load`) RETURN n.`create`, n.name =~ '.*x.*'",
        "MATCH (a:A) RETURN a.name UNION ALL MATCH (b:B) RETURN b.name",
        "MATCH (n) RETURN 'Straße mit ß; // und /* */'",
    ],
)
def test_plain_reading_passes(cypher: str) -> None:
    assert checked(cypher) == cypher


def test_a_closing_semicolon_is_taken_off() -> None:
    assert checked(" MATCH (n) RETURN n ; ") == "MATCH (n) RETURN n"


ATTACKS = {
    "CREATE (:Person {id: 'x'})": "it starts with 'CREATE'",
    "MATCH (n) SET n.name = 'x'": "it contains 'SET'",
    "MATCH (n) DETACH DELETE n": "it contains 'DETACH'",
    "MATCH (n) DELETE n": "it contains 'DELETE'",
    "MATCH (a) MERGE (b:Person {id: 'x'}) RETURN b": "it contains 'MERGE'",
    "MATCH (n) REMOVE n.name": "it contains 'REMOVE'",
    "MATCH (n) WITH n CREATE (:Person {id: 'x'})": "it contains 'CREATE'",
    "MATCH (n)\nRETURN n\nUNION\tcReAtE (m:Person)": "it contains 'cReAtE'",
    "RETURN 1.CREATE (n:Person)": "it contains 'CREATE'",
    "RETURN 1CREATE (n:Person)": "it contains 'CREATE'",
    "RETURN 0x1F CREATE (n:Person)": "it contains 'CREATE'",
    "RETURN 'a'CREATE (n:Person)": "it contains 'CREATE'",
    "RETURN `a`CREATE (n:Person)": "it contains 'CREATE'",
    "RETURN $a CREATE (n:Person)": "it contains 'CREATE'",
    "DROP TABLE Person": "it starts with 'DROP'",
    "ALTER TABLE Person ADD x INT64": "it starts with 'ALTER'",
    "COPY (MATCH (n) RETURN n.id) TO '/tmp/out.csv'": "it starts with 'COPY'",
    "COPY Person FROM '/etc/passwd'": "it starts with 'COPY'",
    "LOAD FROM '/etc/passwd' (header=false) RETURN *": "it starts with 'LOAD'",
    "LOAD EXTENSION httpfs": "it starts with 'LOAD'",
    "MATCH (n) LOAD FROM '/etc/passwd' RETURN *": "it contains 'LOAD'",
    "INSTALL httpfs": "it starts with 'INSTALL'",
    "ATTACH '/tmp/x' AS x (dbtype duckdb)": "it starts with 'ATTACH'",
    "EXPORT DATABASE '/tmp/out'": "it starts with 'EXPORT'",
    "IMPORT DATABASE '/tmp/out'": "it starts with 'IMPORT'",
    "CALL show_tables() RETURN *": "it starts with 'CALL'",
    "CALL threads=99": "it starts with 'CALL'",
    "MATCH (n) CALL current_setting('threads') RETURN *": "it contains 'CALL'",
    "USE other MATCH (n) RETURN n": "it starts with 'USE'",
    "BEGIN TRANSACTION": "it starts with 'BEGIN'",
    "CHECKPOINT": "it starts with 'CHECKPOINT'",
    "EXPLAIN MATCH (n) RETURN n": "it starts with 'EXPLAIN'",
    "PROFILE MATCH (n) RETURN n": "it starts with 'PROFILE'",
    "MATCH (n) RETURN n; MATCH (m) RETURN m": "it contains ';'",
    "MATCH (n) RETURN n;;": "it contains ';'",
    "MATCH (n) RETURN n // ' \nCREATE (:Person) // '": "it contains a comment ('//')",
    "MATCH (n) /* ' */ CREATE (:Person) /* ' */ RETURN n": "it contains a comment ('/*')",
    "MATCH (n) RETURN n # ' \nCREATE (:Person) # '": "it contains a comment ('#')",
    "MATCH (n) WHERE n.name = 'a\\' CREATE (:Person {id: '": "a text contains a backslash",
    'MATCH (n) WHERE n.name = "a\\" CREATE (:Person {id: "': "a text contains a backslash",
    "MATCH (n) WHERE n.name = 'a RETURN n": "the quote ' is not closed",
    "MATCH (n:`a RETURN n": "the quote ` is not closed",
    "MATCH (n) RETURN current_setting('threads')": "it calls 'current_setting'",
    "MATCH (n) RETURN nextval('x')": "it calls 'nextval'",
    "MATCH (n) RETURN read_csv ('/etc/passwd')": "it calls 'read_csv'",
    "MATCH (n) RETURN `read_csv`('/etc/passwd')": "it calls `read_csv`, a quoted name",
    "MATCH (n) RETURN file_info\n('/etc/passwd')": "it calls 'file_info'",
    "MATCH (n)\u2003CREATE (:Person)": "it contains the character '\\u2003' outside of quotes",
    "MATCH (n)\x00 RETURN n": "it contains the character '\\x00' outside of quotes",
    "MATCH (n) ſET n.name = 'x'": "it contains the character 'ſ' outside of quotes",
    "": "it starts with ''",
    ";": "it starts with ''",
    "(n)": "it starts with 'n'",
}


@pytest.mark.parametrize(("cypher", "reason"), ATTACKS.items())
def test_an_attack_is_refused_with_its_reason(cypher: str, reason: str) -> None:
    with pytest.raises(Refused) as error:
        checked(cypher)
    assert error.value.message.startswith(f"The Cypher was refused: {reason}")
    assert error.value.hint


def test_an_unknown_function_names_the_nearest_one() -> None:
    with pytest.raises(
        Refused, match="it calls 'lowercase', which is not a function queries may use.*Did you mean 'lower'"
    ):
        checked("MATCH (n) RETURN lowercase(n.name)")
