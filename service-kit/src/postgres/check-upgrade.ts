import type pg from 'pg';
import { DatabaseError } from './database-error.ts';
import { explainDatabaseError } from './explain-database-error.ts';
import {
  type Beside,
  besideStatement,
  formerStatement,
  readLowestAllowed,
  type Schema,
  whyRefused,
  writeBeside,
} from './schema.ts';
import { openSession } from './session.ts';

/** Whether replicas of this release may start beside those that run, and a sentence for the operator. */
export interface UpgradeCheck {
  /** `unknown`: the database cannot be read, so that a new replica would not become ready either. */
  answer: 'possible' | 'refused' | 'unknown';
  reason: string;
}

/** Reads which replicas run. It changes nothing. `setting` is the name of the setting that has the URL. */
export async function checkUpgrade(url: string, setting: string, schema: Schema): Promise<UpgradeCheck> {
  try {
    await using session = await openSession(url, { queryTimeoutMs: 3000 });
    const query = <Row extends pg.QueryResultRow>(statement: pg.QueryConfig) => session.query<Row>(statement);
    const { rows } = await query<{ exists: boolean }>({
      text: "SELECT to_regclass('replicas') IS NOT NULL AS exists",
    });
    const areRecorded = rows[0]?.exists === true;
    const statement = areRecorded ? besideStatement(schema) : formerStatement(schema);
    const { rows: beside } = await query<Beside>(statement);
    const refusal = whyRefused(schema, areRecorded ? await readLowestAllowed(query, schema) : 0, beside);
    return refusal ? { answer: 'refused', reason: refusal } : possible(schema, beside);
  } catch (error) {
    const failure = new DatabaseError(error, false);
    const why = explainDatabaseError(failure, url, setting) ?? failure.message;
    return { answer: 'unknown', reason: `it is not known which replicas run: ${why}` };
  }
}

function possible({ owner, migrations }: Schema, beside: Beside[]): UpgradeCheck {
  const running = beside.length > 0 ? writeBeside(beside) : 'none';
  return {
    answer: 'possible',
    reason: `this release has schema version ${migrations.length} of ${owner}; replicas that run: ${running}`,
  };
}
