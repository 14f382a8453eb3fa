-- The phones that get no SMS. A payment may be gone before the suppression that was learned from it.
CREATE TABLE suppressions (
  suppression_id TEXT PRIMARY KEY,
  phone TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL, -- opt_out or admin
  reason TEXT NOT NULL,
  provider TEXT, -- of an opt-out
  payment_id TEXT, -- the payment from which the opt-out was learned
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
