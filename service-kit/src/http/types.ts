import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerDefault,
  RouteOptions,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Credential, Role } from './credentials.ts';

/** A Fastify whose routes take their types from zod schemas. Apart from server.ts, which imports all that takes one. */
export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export type ResponseListener = (request: FastifyRequest, reply: FastifyReply) => void;

/** The roles that may call a route. A route without it is for the admin alone. */
export type Access = 'anyone' | readonly Role[];

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** For webhooks, whose senders may add fields. Any other route refuses those that its schema does not have. */
    acceptsAnyQuery?: boolean;
  }
  interface FastifyRequest {
    /** The key that came with the request; undefined where none is needed. */
    credential: Credential | undefined;
    /** Releases its place among the concurrent requests, or ends its wait for one; undefined if it needs none. */
    leavePlace: (() => void) | undefined;
  }
  interface FastifyInstance {
    /** Aborted as soon as the server stops, while requests are still being handled. */
    stopping: AbortSignal;
    /** The routes that /openapi.json has. */
    readonly documentedRoutes: readonly RouteOptions[];
    /** Adds a function that is called once a response has been sent, or its client has disconnected, unlike the hook `onResponse`. */
    onResponseClosed: (listener: ResponseListener) => void;
  }
}
