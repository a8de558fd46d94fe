-- The sources as CloudTrail delivers them, one file after the other. A source is one JSON object on
-- one line. ACCOUNTS, REGIONS and DAYS are lists with commas; a day is as 2024/02/08. The days are no
-- range, because a query without a day would list each account and region of every day in it.

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
  'projection.day.type' = 'enum',
  'projection.day.values' = 'DAYS',
  'storage.location.template' =
    's3://SOURCE_BUCKET/AWSLogs/${account}/CloudTrail/${region}/${day}/'
);
