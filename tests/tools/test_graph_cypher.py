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
    # Writes of every kind, and those that hide in others.
    "MATCH (n) SET n += {name: 'x'}": "it contains 'SET'",
    "MATCH (a), (b) CREATE (a)-[:leitet]->(b) RETURN 1": "it contains 'CREATE'",
    "UNWIND [1] AS x FOREACH (y IN [1] | CREATE (:Person))": "it contains 'FOREACH'",
    "MATCH (n) WITH n DELETE n RETURN 1": "it contains 'DELETE'",
    "MATCH (n) RETURN n UNION ALL CREATE (:Person {id: 'x'})": "it contains 'CREATE'",
    "OPTIONAL MATCH (n) DELETE n": "it contains 'DELETE'",
    "MERGE (n:Person {id: 'x'}) ON CREATE SET n.name = 'y'": "it starts with 'MERGE'",
    "INSERT (:Person {id: 'x'})": "it starts with 'INSERT'",
    "WITH 1 AS x CREATE NODE TABLE T(id STRING, PRIMARY KEY(id))": "it contains 'CREATE'",
    "CREATE MACRO f(x) AS x": "it starts with 'CREATE'",
    "CREATE SEQUENCE s": "it starts with 'CREATE'",
    "COMMENT ON TABLE Person IS 'x'": "it starts with 'COMMENT'",
    "MATCH (n) RETURN 1 TRUNCATE Person": "it contains 'TRUNCATE'",
    # Files, networks, settings, extensions.
    "COPY Person TO 's3://bucket/x.parquet'": "it starts with 'COPY'",
    "LOAD WITH HEADERS FROM 'http://localhost/x.csv' RETURN *": "it starts with 'LOAD'",
    "UNWIND [1] AS x LOAD FROM '/proc/self/environ' RETURN *": "it contains 'LOAD'",
    "FORCE INSTALL httpfs": "it starts with 'FORCE'",
    "UNINSTALL httpfs": "it starts with 'UNINSTALL'",
    "UPDATE EXTENSION httpfs": "it starts with 'UPDATE'",
    "DETACH other": "it starts with 'DETACH'",
    "CALL CREATE_FTS_INDEX('Person', 'i', ['name'])": "it starts with 'CALL'",
    "CALL project_graph('g', ['Person'], ['leitet'])": "it starts with 'CALL'",
    "MATCH (n) CALL page_rank('g') RETURN *": "it contains 'CALL'",
    "WITH 1 AS x CALL timeout=0 RETURN x": "it contains 'CALL'",
    "RETURN 1 AS a WITH a IMPORT DATABASE '/tmp/x'": "it contains 'IMPORT'",
    "ROLLBACK": "it starts with 'ROLLBACK'",
    "WITH 1 AS x COMMIT": "it contains 'COMMIT'",
    "MATCH (n) RETURN error('x')": "it calls 'error'",
    "MATCH (n) RETURN read_parquet('/etc/passwd')": "it calls 'read_parquet'",
    "RETURN glob('/etc/*')": "it calls 'glob'",
    "RETURN getenv('HOME')": "it calls 'getenv'",
    "RETURN json_structure('{}')": "it calls 'json_structure'",
    "RETURN currval('s')": "it calls 'currval'",
    "RETURN gen_random_uuid()": "it calls 'gen_random_uuid'",
    "RETURN sha256('x')": "it calls 'sha256'",
    "RETURN db_version()": "it calls 'db_version'",
    "RETURN show_tables()": "it calls 'show_tables'",
    # Quotes, comments, letters that look like others.
    "MATCH (n:`Person``) CREATE (:`x`)": "the quote ` is not closed",
    "MATCH (n) RETURN `n`.`name` `CALL` (1)": "it calls `CALL`, a quoted name",
    "MATCH (n) RETURN `lower`\n\t(n.name)": "it calls `lower`, a quoted name",
    "MATCH (n) WHERE n.name = 'it''s' -- x\nRETURN n /* */": "it contains a comment ('/*')",
    "MATCH (n) RETURN n --\n; DROP TABLE Person": "it contains ';'",
    "MATCH (n)/**/RETURN n": "it contains a comment ('/*')",
    "MATCH (n) RETURN n */": "it contains a comment ('*/')",
    "MATCH (n) RETURN 'a' // b": "it contains a comment ('//')",
    "MATCH (n) WHERE n.name = 'a\\u0027 CREATE (:P) //' RETURN n": "a text contains a backslash",
    "MATCH (n) \\u0053ET n.name = 'x'": "it contains a backslash",
    "MATCH (n:`a\\u0060`) RETURN n": "it contains a backslash",
    "MATCH (n) RETURN n\uff1b DROP TABLE Person": "it contains the character '\uff1b' outside of quotes",
    "MATCH (n) \u0421REATE (:Person)": "it contains the character '\u0421' outside of quotes",
    "MATCH (n)\u200bSET n.name = 'x'": "it contains the character '\\u200b' outside of quotes",
    "MATCH (n)\x0bDELETE n": "it contains the character '\\x0b' outside of quotes",
    "\ufeffCREATE (:Person)": "it contains the character '\\ufeff' outside of quotes",
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


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (n) WHERE n.id IN ['a', 'b'] RETURN n",
        "MATCH (n) WHERE list_contains(['a'], n.id) RETURN n",
        "MATCH (n) WHERE any(x IN ['a'] WHERE x IN ['b']) RETURN n",
    ],
)
def test_what_kuzu_answers_wrongly_is_refused_there_alone(cypher: str) -> None:
    assert checked(cypher) == cypher
    with pytest.raises(Refused, match=r"with which Kuzu finds other rows than were asked for.*any\(x IN list WHERE"):
        checked(cypher, engine="kuzu")


def test_in_kuzu_a_list_can_still_be_gone_through() -> None:
    cypher = "MATCH (n) WHERE any(x IN $ids WHERE x = n.id) RETURN n"
    assert checked(cypher, engine="kuzu") == cypher
