-- The task of this project in Athena's SQL: the sources of one day become files of NDJSON.gz.
--
-- Run one statement at a time. First put in your values. Replace all of:
--   SOURCE_BUCKET, SOURCE_PREFIX/            the trail, and the text before AWSLogs/ or nothing
--   ACCOUNTS                                 111122223333,444455556666
--   REGIONS                                  eu-west-1,us-east-1
--   DESTINATION_BUCKET, DESTINATION_PREFIX/  the place of the files, and its prefix or nothing
--   YYYY/MM/DD                               the day, as 2024/02/08
-- An account of an organisation's trail has its organisation before it: o-abc/111122223333.
--
-- `python -m harness sql --stack NAME --day 2024-02-08` fills in the values of a deployed stack and
-- runs the file. `compare --peers trino,duckdb` measures it beside the four implementations: there
-- sqlglot translates it. docs/layouts.md tells what this loses of the contract. The file has never
-- met Athena.

-- Lister (SPEC L1): the folders of the sources, computed from accounts, regions and days. SQL can't
-- look for the accounts, so the table has to name them. Inflater (R3): by the suffix .gz. A later
-- day needs this statement only if an account or a region is new.
CREATE EXTERNAL TABLE cloudtrail_sources (
  records array<string>
)
PARTITIONED BY (account string, region string, day string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://SOURCE_BUCKET/SOURCE_PREFIX/AWSLogs/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'enum',
  'projection.account.values' = 'ACCOUNTS',
  'projection.region.type' = 'enum',
  'projection.region.values' = 'REGIONS',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2013/01/01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' =
    's3://SOURCE_BUCKET/SOURCE_PREFIX/AWSLogs/${account}/CloudTrail/${region}/${day}/'
);

-- The aggregation. It has no claim, no hidden chunks and no manifest (W).
CREATE TABLE cloudtrail_day
WITH (
  -- writer: each record is a line (C1); the engine decides the number and the sizes of the files
  format = 'TEXTFILE',
  write_compression = 'GZIP',
  -- publisher: Athena refuses a folder that is not empty, so a second run needs a clean-up first,
  -- and it refuses this line in a workgroup that enforces its own place of results
  external_location = 's3://DESTINATION_BUCKET/DESTINATION_PREFIX/YYYY/MM/DD/'
)
AS
SELECT record
-- reader: the JSON serde takes a source as one line
FROM cloudtrail_sources
-- splitter (R8): the serde parses each record and prints it again
CROSS JOIN UNNEST(records) AS source (record)
-- trigger (T3): the day
WHERE day = 'YYYY/MM/DD';

-- The files stay: both tables are external.
DROP TABLE IF EXISTS cloudtrail_day;

DROP TABLE IF EXISTS cloudtrail_sources;
