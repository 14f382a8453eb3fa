-- The SMS that a day's cap has given out, in blocks of which the latest is kept to be returned.
CREATE TABLE sms_days (
  day text COLLATE "C" PRIMARY KEY, -- 2026-03-01, UTC
  segments integer NOT NULL,
  latest_block integer NOT NULL
);

CREATE TABLE sms_recipient_hours (
  hour text COLLATE "C" NOT NULL, -- 2026-03-01T12, UTC
  phone text COLLATE "C" NOT NULL,
  segments integer NOT NULL,
  PRIMARY KEY (hour, phone)
);

-- Only notifications that wait for a bound, or are held, are in it.
CREATE INDEX payments_waiting ON payments (reason) WHERE notification_status = 'pending' AND reason IS NOT NULL;
