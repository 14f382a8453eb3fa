/** `client`: whoever uses the public API; `admin`: who resets, retries and pulls levers; `service`: one of the trio. */
export type Role = 'client' | 'admin' | 'service';

/** Who may ask a route. */
export type Access = 'anyone' | readonly Role[];

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}
