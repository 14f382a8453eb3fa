import { z } from 'zod';
import type { Server } from './types.ts';

const noQuery = z.strictObject({});

/**
 * Refuses query fields of a route that has none, because a misspelt one would be ignored. Called before the routes, because a hook
 * applies to later routes.
 */
export function refuseUnknownQuery(server: Server): void {
  server.addHook('onRoute', (route) => {
    if (!route.config?.acceptsAnyQuery) route.schema = { querystring: noQuery, ...route.schema };
  });
}
