/** What one client has. */
interface Claim {
  held: number;
  waiting: number;
}

type EndWait = (hasPlace: boolean) => void;

export interface Wait {
  /** Resolves with whether there is a place, within `longestWaitMs`. */
  place: Promise<boolean>;
  /** Ends the wait, or releases the place that it has led to. */
  leave(): void;
}

/** A name, of which there are few, or an object that identifies the client. */
type Client = string | object;

export interface Places {
  /** Returns whether the client has a place now; it then has to be released. */
  take(client: Client): boolean;
  /** To be called after `take`. Undefined if the client may not wait. */
  wait(client: Client): Wait | undefined;
  /** Gives the place to the client that has waited longest. */
  release(client: Client): void;
  /** Ends all waits without a place. */
  endWaits(): void;
}

/**
 * A number of places, of which a client may take all while no other one needs any. One that holds more than half of them makes
 * others wait for a place rather than go without; then it gets none until they have theirs. Those that wait get half of the places
 * at most. If no client holds more than half, there are too many clients for the places, and none waits.
 */
export function createPlaces(limit: number, longestWaitMs: number): Places {
  const half = limit / 2;
  const longestClaim = Math.max(1, Math.floor(half));
  const ofNames = new Map<string, Claim>();
  const ofObjects = new WeakMap<object, Claim>();
  /** Oldest first. While there is one, no place is free. */
  const waits = new Set<EndWait>();
  let free = limit;
  let dominant: Claim | undefined;

  /** Kept for the next request, because almost every client has one. */
  function claimOf(client: Client): Claim {
    const known = typeof client === 'string' ? ofNames.get(client) : ofObjects.get(client);
    if (known) return known;
    const claim = { held: 0, waiting: 0 };
    if (typeof client === 'string') ofNames.set(client, claim);
    else ofObjects.set(client, claim);
    return claim;
  }

  function change(client: Client, part: keyof Claim, by: 1 | -1): void {
    const claim = claimOf(client);
    claim[part] += by;
    if (claim.held > half) dominant = claim;
    else if (dominant === claim) dominant = undefined;
  }

  function mayWait(client: Client): boolean {
    const claim = claimOf(client);
    if (!dominant || dominant === claim || waits.size >= limit) return false;
    return claim.held + claim.waiting < longestClaim;
  }

  function release(client: Client): void {
    change(client, 'held', -1);
    const [end] = waits;
    if (end) end(true);
    else free += 1;
  }

  return {
    take(client) {
      if (free <= 0) return false;
      free -= 1;
      change(client, 'held', 1);
      return true;
    },
    wait(client) {
      if (!mayWait(client)) return undefined;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      let isPlaced = false;
      const end: EndWait = (hasPlace) => {
        waits.delete(end);
        clearTimeout(timer);
        isPlaced = hasPlace;
        change(client, 'waiting', -1);
        if (hasPlace) change(client, 'held', 1);
        resolve(hasPlace);
      };
      const timer = setTimeout(end, longestWaitMs, false);
      waits.add(end);
      change(client, 'waiting', 1);
      const leave = () => {
        if (waits.has(end)) end(false);
        else if (isPlaced) release(client);
      };
      return { place: promise, leave };
    },
    release,
    endWaits() {
      for (const end of waits) end(false);
    },
  };
}
