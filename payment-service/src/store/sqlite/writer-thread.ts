import { parentPort, workerData } from 'node:worker_threads';
import { openWriter } from './writer.ts';
import type { Request } from './writer-client.ts';

/** What runs in the writer's thread: it opens the database, says so, and answers each request in its turn. */

const writer = openWriter(workerData);

parentPort?.on('message', (request: Request) => {
  if (request === 'close') {
    writer.close();
    parentPort?.close();
  } else {
    parentPort?.postMessage(request === 'emptyLog' ? writer.emptyLog() : writer.commit(request));
  }
});
parentPort?.postMessage('open');
