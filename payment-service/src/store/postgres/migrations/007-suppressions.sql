-- The phones that get no SMS. A payment may be gone before the suppression that was learned from it.
CREATE TABLE suppressions (
  suppression_id text COLLATE "C" PRIMARY KEY,
  phone text COLLATE "C" NOT NULL UNIQUE,
  source text NOT NULL, -- opt_out or admin
  reason text NOT NULL,
  provider text, -- of an opt-out
  payment_id text COLLATE "C", -- the payment from which the opt-out was learned
  created_at timestamptz NOT NULL
);
