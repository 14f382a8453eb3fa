/** Runs a statement that is prepared under its name, once for each connection. */
export type Query = <Row>(name: string, text: string, values: unknown[]) => Promise<Row[]>;
