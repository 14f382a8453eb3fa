import type pg from 'pg';
import { DatabaseError } from './database-error.ts';

/** The tables of one owner, as this release knows them. */
export interface Schema {
  /** Whose tables they are, in a database that several services may share. */
  owner: string;
  /** Their number is the schema version of this release. A value that older releases cannot read takes one as well. */
  migrations: readonly string[];
  /**
   * The lowest schema version of a replica that may run while this release does. 0: any. A higher one says that all older
   * replicas stop before the first of this release starts.
   */
  runsBeside: number;
  /**
   * The last statements of sessions that only a replica has, so that one of a release which does not record itself is seen. Sessions
   * of this release are named after the owner.
   */
  sessions: readonly string[];
}

export interface Replica {
  /** Of the process, because two may have the same name. */
  id: string;
  name: string;
  /** For how long it counts as running after its last sign of life, in ms. */
  leaseMs: number;
}

/** Running replicas that have the same schema version. */
export interface Beside {
  /** 0 of releases that do not record themselves. */
  schema_version: number;
  replicas: number;
}

/** This release must not use the database beside the replicas that run, or after those that ran. */
export class ReleaseRefused extends DatabaseError {
  constructor(reason: string) {
    super(new Error(reason), false);
  }
}

/** A statement with its values, of a session or a pool. */
interface Statement {
  text: string;
  values: unknown[];
}

/** Takes the database's clock: those of the replicas may differ. */
export const recordStatement = (
  { owner, migrations }: Schema,
  { id, name, leaseMs }: Replica,
): Statement => ({
  text: `
    INSERT INTO replicas (owner, id, name, schema_version, expires_at)
    VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms')
    ON CONFLICT (owner, id) DO UPDATE SET expires_at = excluded.expires_at`,
  values: [owner, id, name, migrations.length, leaseMs],
});

export const removalStatement = ({ owner }: Schema, { id }: Replica): Statement => ({
  text: 'DELETE FROM replicas WHERE owner = $1 AND id = $2',
  values: [owner, id],
});

/** Reads the replicas that run, as `Beside`: those that have recorded themselves, and the others by their sessions. */
export const besideStatement = ({ owner, sessions }: Schema): Statement => ({
  text: `
    SELECT schema_version, count(*)::integer AS replicas FROM replicas
    WHERE owner = $1 AND expires_at > clock_timestamp() GROUP BY schema_version
    UNION ALL ${formerSessions}
    ORDER BY schema_version`,
  values: [owner, sessions],
});

/** As above, of a database that no replica has recorded itself in. */
export const formerStatement = ({ owner, sessions }: Schema): Statement => ({
  text: formerSessions,
  values: [owner, sessions],
});

const formerSessions = `
  SELECT 0 AS schema_version, count(*)::integer AS replicas FROM pg_stat_activity
  WHERE datname = current_database() AND application_name <> $1 AND query = ANY ($2) HAVING count(*) > 0`;

/** Why this release must not start now, in one sentence; undefined if it may. */
export function whyRefused(
  { owner, migrations, runsBeside }: Schema,
  lowestAllowed: number,
  beside: readonly Beside[],
): string | undefined {
  const version = migrations.length;
  if (version < lowestAllowed)
    return `this release has schema version ${version} of ${owner}, and the database is for ${lowestAllowed} or higher: start a newer release`;
  const older = beside.filter(({ schema_version }) => schema_version < runsBeside);
  if (older.length === 0) return undefined;
  return `this release, with schema version ${version} of ${owner}, cannot run beside the running ${writeBeside(older)}: stop all replicas of ${owner}, then start it`;
}

export const writeBeside = (beside: readonly Beside[]): string =>
  beside
    .map(({ schema_version, replicas }) => {
      const of =
        schema_version === 0 ? 'a release that does not record itself' : `schema version ${schema_version}`;
      return `${replicas} of ${of}`;
    })
    .join(' and ');

/** Reads the lowest schema version that may use the tables. */
export async function readLowestAllowed(
  query: (statement: Statement) => Promise<pg.QueryResult<{ runs_beside: number }>>,
  { owner }: Schema,
): Promise<number> {
  const { rows } = await query({
    text: 'SELECT runs_beside FROM schema_versions WHERE owner = $1',
    values: [owner],
  });
  return rows[0]?.runs_beside ?? 0;
}
