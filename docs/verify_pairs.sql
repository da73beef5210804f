-- The pair counts of an export, made again from its votes in SQL alone. In the export's folder, with DuckDB:
--
--     duckdb -bail < verify_pairs.sql
--
-- shows each pair as the votes give it, and ends with an error that names the pairs for which `pairwise` of export.json says another number.
-- Which votes count is said by `left_out`; that it is right, and that the rows are the votes that were sealed, is shown by verify_without_us.py.

CREATE TEMP TABLE told AS
SELECT unnest(from_json(
    content::JSON -> 'pairwise',
    '[{"a": "VARCHAR", "b": "VARCHAR", "wins_a": "BIGINT", "wins_b": "BIGINT", "ties": "BIGINT", "both_bad": "BIGINT", "shown_a_left": "BIGINT"}]'
), recursive := true)
FROM read_text('export.json');

CREATE TEMP TABLE counted AS
SELECT
    told.a,
    told.b,
    count(*) FILTER (CASE v.winner WHEN 'model_a' THEN v.model_a WHEN 'model_b' THEN v.model_b END = told.a) AS wins_a,
    count(*) FILTER (CASE v.winner WHEN 'model_a' THEN v.model_a WHEN 'model_b' THEN v.model_b END = told.b) AS wins_b,
    count(*) FILTER (v.winner = 'tie') AS ties,
    count(*) FILTER (v.winner = 'both_bad') AS both_bad,
    count(*) FILTER (v.model_a = told.a) AS shown_a_left
FROM told
LEFT JOIN read_parquet('votes.parquet') AS v
    ON v.left_out IS NULL AND (v.model_a, v.model_b) IN ((told.a, told.b), (told.b, told.a))
GROUP BY told.a, told.b;

SELECT * FROM counted ORDER BY a, b;

-- Both ways: no pair that the document counts otherwise, and no vote that counts on a pair which it does not have.
SELECT CASE WHEN count(*) > 0 THEN error('DOES NOT HOLD  pairwise: ' || string_agg(a || ' and ' || b, ', ')) ELSE 'ok  pairwise' END AS verdict
FROM (SELECT * FROM told EXCEPT SELECT * FROM counted);

SELECT CASE WHEN (SELECT sum(wins_a + wins_b + ties + both_bad) FROM counted) IS DISTINCT FROM count(*) AND count(*) > 0
    THEN error('DOES NOT HOLD  pairwise: votes that count stand on no pair') ELSE 'ok  ' || count(*) || ' votes that count' END AS verdict
FROM read_parquet('votes.parquet') WHERE left_out IS NULL;
