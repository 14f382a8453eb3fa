import process from 'node:process';
import { reachableUrl } from './http/reachable-url.ts';

/** The health check of the image: exits with 0 if the service that listens on HOST and PORT is ready, else with 1. */
const url = reachableUrl(process.env.HOST || '127.0.0.1', process.env.PORT ?? '');
const isReady = await fetch(`${url}/health/ready`).then(
  ({ ok }) => ok,
  () => false,
);
process.exit(isReady ? 0 : 1);
