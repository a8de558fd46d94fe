-- The published chunks as a table of Athena, the same in Parquet, and views for usual questions.
--
-- Run one statement at a time. First put in your destination: replace each DESTINATION_BUCKET, and
-- each DESTINATION_PREFIX/ by your prefix, or by nothing if it is empty. Put your first day in
-- place of 2013/01/01: a query that names no day lists every day from there to today.
--
-- The table computes its days from that range (partition projection). It needs no crawler and no
-- MSCK REPAIR. A query that names its days, as in WHERE day = '2024/02/08' or WHERE day BETWEEN
-- '2024/02/01' AND '2024/02/29', lists those days only. NOW is today by UTC. Athena skips names
-- that begin with _, so hidden chunks and manifests stay out.
--
-- The columns have the names of AWS's own table for CloudTrail. Nested values are JSON text, not
-- structs: json_extract_scalar(useridentity, '$.arn') reads one. The serde keeps upper and lower
-- case, because keys of requests may differ in nothing else. Hence each column needs a mapping.
--
-- Days that were queued by account lie at {account}/yyyy/mm/dd/. Make a second table for them. Add
-- `account string` first in PARTITIONED BY, 'projection.account.type' = 'injected', and ${account}/
-- before ${day} in the location.
--
-- tests/test_trino.py runs every statement of this file as it stands, but for the destination, by
-- Trino, the engine that Athena is made of. tests/test_athena.py checks it by DuckDB. The file has
-- never met Athena.

CREATE EXTERNAL TABLE cloudtrail_records (
  eventversion string,
  useridentity string,
  eventtime string,
  eventsource string,
  eventname string,
  awsregion string,
  sourceipaddress string,
  useragent string,
  errorcode string,
  errormessage string,
  requestparameters string,
  responseelements string,
  additionaleventdata string,
  requestid string,
  eventid string,
  readonly string,
  resources string,
  eventtype string,
  apiversion string,
  recipientaccountid string,
  serviceeventdetails string,
  sharedeventid string,
  vpcendpointid string,
  vpcendpointaccountid string,
  eventcategory string,
  addendum string,
  sessioncredentialfromconsole string,
  edgedevicedetails string,
  tlsdetails string,
  managementevent string
)
PARTITIONED BY (day string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES (
  'case.insensitive' = 'false',
  'mapping.eventversion' = 'eventVersion',
  'mapping.useridentity' = 'userIdentity',
  'mapping.eventtime' = 'eventTime',
  'mapping.eventsource' = 'eventSource',
  'mapping.eventname' = 'eventName',
  'mapping.awsregion' = 'awsRegion',
  'mapping.sourceipaddress' = 'sourceIPAddress',
  'mapping.useragent' = 'userAgent',
  'mapping.errorcode' = 'errorCode',
  'mapping.errormessage' = 'errorMessage',
  'mapping.requestparameters' = 'requestParameters',
  'mapping.responseelements' = 'responseElements',
  'mapping.additionaleventdata' = 'additionalEventData',
  'mapping.requestid' = 'requestID',
  'mapping.eventid' = 'eventID',
  'mapping.readonly' = 'readOnly',
  'mapping.resources' = 'resources',
  'mapping.eventtype' = 'eventType',
  'mapping.apiversion' = 'apiVersion',
  'mapping.recipientaccountid' = 'recipientAccountId',
  'mapping.serviceeventdetails' = 'serviceEventDetails',
  'mapping.sharedeventid' = 'sharedEventID',
  'mapping.vpcendpointid' = 'vpcEndpointId',
  'mapping.vpcendpointaccountid' = 'vpcEndpointAccountId',
  'mapping.eventcategory' = 'eventCategory',
  'mapping.addendum' = 'addendum',
  'mapping.sessioncredentialfromconsole' = 'sessionCredentialFromConsole',
  'mapping.edgedevicedetails' = 'edgeDeviceDetails',
  'mapping.tlsdetails' = 'tlsDetails',
  'mapping.managementevent' = 'managementEvent'
)
LOCATION 's3://DESTINATION_BUCKET/DESTINATION_PREFIX/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2013/01/01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://DESTINATION_BUCKET/DESTINATION_PREFIX/${day}/'
);

-- The same columns in Parquet, for queries that read many days and few columns. The days are those
-- that `python -m harness compact` has made; a day that it has not made has no rows here. The
-- views read this table where its name takes the place of cloudtrail_records. A day's folder has
-- one object, which lists the day's Parquet files. To replace that list is to replace the day.
CREATE EXTERNAL TABLE cloudtrail_columns (
  eventversion string,
  useridentity string,
  eventtime string,
  eventsource string,
  eventname string,
  awsregion string,
  sourceipaddress string,
  useragent string,
  errorcode string,
  errormessage string,
  requestparameters string,
  responseelements string,
  additionaleventdata string,
  requestid string,
  eventid string,
  readonly string,
  resources string,
  eventtype string,
  apiversion string,
  recipientaccountid string,
  serviceeventdetails string,
  sharedeventid string,
  vpcendpointid string,
  vpcendpointaccountid string,
  eventcategory string,
  addendum string,
  sessioncredentialfromconsole string,
  edgedevicedetails string,
  tlsdetails string,
  managementevent string
)
PARTITIONED BY (day string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
STORED AS
  INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'
  OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://DESTINATION_BUCKET/DESTINATION_PREFIX/parquet/days/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2013/01/01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' =
    's3://DESTINATION_BUCKET/DESTINATION_PREFIX/parquet/days/${day}/'
);

-- Calls that AWS refused for a missing right.
CREATE OR REPLACE VIEW cloudtrail_refused AS
SELECT
  day,
  eventtime,
  recipientaccountid,
  json_extract_scalar(useridentity, '$.arn') AS caller,
  eventsource,
  eventname,
  errorcode,
  errormessage,
  sourceipaddress
FROM cloudtrail_records
WHERE errorcode LIKE '%AccessDenied%' OR errorcode LIKE '%UnauthorizedOperation%';

-- Logins to the console. The outcome is Success or Failure.
CREATE OR REPLACE VIEW cloudtrail_console_logins AS
SELECT
  day,
  eventtime,
  recipientaccountid,
  json_extract_scalar(useridentity, '$.type') AS identitytype,
  json_extract_scalar(useridentity, '$.arn') AS caller,
  json_extract_scalar(responseelements, '$.ConsoleLogin') AS outcome,
  json_extract_scalar(additionaleventdata, '$.MFAUsed') AS mfaused,
  sourceipaddress
FROM cloudtrail_records
WHERE eventname = 'ConsoleLogin';

-- Calls by the root user himself, not by a service in his name.
CREATE OR REPLACE VIEW cloudtrail_root_use AS
SELECT day, eventtime, recipientaccountid, eventsource, eventname, sourceipaddress, useragent
FROM cloudtrail_records
WHERE json_extract_scalar(useridentity, '$.type') = 'Root'
  AND json_extract_scalar(useridentity, '$.invokedBy') IS NULL;

-- Calls of each account and service by hour (UTC). The time is that of the call; a source may
-- bring calls of the hour before midnight to the next day.
CREATE OR REPLACE VIEW cloudtrail_by_hour AS
SELECT
  day,
  substr(eventtime, 1, 13) AS hour,
  recipientaccountid,
  eventsource,
  count(*) AS calls,
  count(errorcode) AS failed
FROM cloudtrail_records
GROUP BY 1, 2, 3, 4;

-- The number of records of each day. It equals `records` in the day's manifest.
SELECT day, count(*) AS records
FROM cloudtrail_records
WHERE day BETWEEN '2024/02/01' AND '2024/02/29'
GROUP BY day
ORDER BY day;

-- Refused calls of one day, by caller.
SELECT caller, eventsource, eventname, count(*) AS times
FROM cloudtrail_refused
WHERE day = '2024/02/08'
GROUP BY 1, 2, 3
ORDER BY times DESC, caller
LIMIT 20;

-- Logins without a second factor, and logins that failed.
SELECT eventtime, recipientaccountid, caller, outcome, mfaused, sourceipaddress
FROM cloudtrail_console_logins
WHERE day = '2024/02/08' AND (outcome = 'Failure' OR mfaused = 'No')
ORDER BY eventtime;

-- What the root user did in a week.
SELECT recipientaccountid, eventsource, eventname, count(*) AS times
FROM cloudtrail_root_use
WHERE day BETWEEN '2024/02/05' AND '2024/02/11'
GROUP BY 1, 2, 3
ORDER BY times DESC, recipientaccountid, eventsource, eventname;

-- The hours of one day with the most failed calls.
SELECT hour, sum(calls) AS calls, sum(failed) AS failed
FROM cloudtrail_by_hour
WHERE day = '2024/02/08'
GROUP BY hour
ORDER BY failed DESC, hour
LIMIT 5;
