/** Who makes a request: the name and the role of its key. */
interface Requester {
  name: string;
  role: 'client' | 'admin' | 'service';
}

/** What a request may see and change. There is no requester where there are no keys. */
export interface Visibility {
  /** The client to whose payments the request is confined; undefined: it sees those of all. */
  confinedTo(requester: Requester | undefined): string | undefined;
  /** Whether the request may name the client whose customer it is about. */
  mayNameClient(requester: Requester | undefined): boolean;
  /** The roles that may watch the payments of all clients. */
  watchers: ('client' | 'admin')[];
}

/**
 * Where clients are isolated, each sees its own payments and customers. An admin sees those of all, and those from before the
 * isolation that have no client. A request without a key, which the configuration rules out there, would see none.
 */
export const createVisibility = (clientsIsolated: boolean): Visibility => ({
  confinedTo: (requester) =>
    clientsIsolated && requester?.role !== 'admin' ? (requester?.name ?? '') : undefined,
  mayNameClient: (requester) => clientsIsolated && requester?.role === 'admin',
  watchers: clientsIsolated ? ['admin'] : ['client', 'admin'],
});
