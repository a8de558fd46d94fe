-- The published chunks as a table of Athena.
--
-- Run one statement at a time. First put in your destination: replace DESTINATION_BUCKET twice, and
-- DESTINATION_PREFIX/ twice by your prefix, or by nothing if it is empty.
--
-- The table computes its days from the range below (partition projection). It needs no crawler and
-- no MSCK REPAIR. A query that names its day lists that day only. Athena skips names that begin
-- with _, so hidden chunks and manifests stay out.
--
-- Nested values are JSON text: json_extract_scalar(useridentity, '$.arn') reads one. The serde
-- keeps upper and lower case, because keys of requests may differ in nothing else. Hence each
-- column needs a mapping.
--
-- Days that were queued by account lie at {account}/yyyy/mm/dd/. Make a second table for them. Add
-- `account string` first in PARTITIONED BY, 'projection.account.type' = 'injected', and ${account}/
-- before ${year} in the location.
--
-- tests/test_athena.py checks with DuckDB that this file parses, and that columns, locations and
-- counts are right for chunks that a function wrote. The file has never met Athena.

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
  recipientaccountid string,
  sharedeventid string,
  vpcendpointid string,
  eventcategory string,
  tlsdetails string
)
PARTITIONED BY (year int, month int, day int)
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
  'mapping.recipientaccountid' = 'recipientAccountId',
  'mapping.sharedeventid' = 'sharedEventID',
  'mapping.vpcendpointid' = 'vpcEndpointId',
  'mapping.eventcategory' = 'eventCategory',
  'mapping.tlsdetails' = 'tlsDetails'
)
LOCATION 's3://DESTINATION_BUCKET/DESTINATION_PREFIX/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2013,2040',
  'projection.year.digits' = '4',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'projection.month.digits' = '2',
  'projection.day.type' = 'integer',
  'projection.day.range' = '1,31',
  'projection.day.digits' = '2',
  'storage.location.template' = 's3://DESTINATION_BUCKET/DESTINATION_PREFIX/${year}/${month}/${day}/'
);

-- The number of records of each day. It equals `records` in the day's manifest.
SELECT year, month, day, count(*) AS records
FROM cloudtrail_records
WHERE year = 2024 AND month = 2
GROUP BY year, month, day
ORDER BY year, month, day;

-- Refused calls of one day, by caller.
SELECT json_extract_scalar(useridentity, '$.arn') AS who, eventsource, eventname, count(*) AS times
FROM cloudtrail_records
WHERE year = 2024 AND month = 2 AND day = 8 AND errorcode LIKE '%AccessDenied%'
GROUP BY 1, 2, 3
ORDER BY times DESC, who
LIMIT 20;
