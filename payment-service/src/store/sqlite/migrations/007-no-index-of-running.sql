-- Attempts that ran when the process ended belong to payments that are due, which have an index.
DROP INDEX attempts_running;
