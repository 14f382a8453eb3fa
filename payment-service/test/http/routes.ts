import type { Server } from 'service-kit/http/types.ts';

/** `METHOD /path` of each route of the router. HEAD is left out, because each GET has it. */
export function routesOf(app: Server): string[] {
  const path: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', segment = '', methods] = /^([│ ]*)[├└]── (\S+)(?: \((.*)\))?$/.exec(line) ?? [];
      path.length = indent.length / 4;
      path.push(segment);
      const listed = methods?.split(', ').filter((method) => method !== 'HEAD') ?? [];
      return listed.map((method) => `${method} ${path.join('').replace(/^\/\//, '/')}`);
    });
}
