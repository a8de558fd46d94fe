-- The sources as CloudTrail delivers them, one file after the other. A source is one JSON object on
-- one line. ACCOUNTS and REGIONS are lists with commas, FIRST_DAY and LAST_DAY days as 2024/02/08.

CREATE EXTERNAL TABLE raw_sources (
  records array<struct<eventname:string,eventid:string>>
)
PARTITIONED BY (account string, region string, day string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://SOURCE_BUCKET/AWSLogs/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'enum',
  'projection.account.values' = 'ACCOUNTS',
  'projection.region.type' = 'enum',
  'projection.region.values' = 'REGIONS',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = 'FIRST_DAY,LAST_DAY',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' =
    's3://SOURCE_BUCKET/AWSLogs/${account}/CloudTrail/${region}/${day}/'
);
