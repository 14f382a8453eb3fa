/** A text in PostgreSQL has no NUL, so that an id with one cannot exist. */
export const isText = (id: string) => !id.includes('\0');

/** Runs a statement that is prepared under its name, once for each connection. */
export type Query = <Row>(name: string, text: string, values: unknown[]) => Promise<Row[]>;
