import { parentPort, workerData } from 'node:worker_threads';
import { openWriter } from './writer.ts';
import type { WriterRequest } from './writer-client.ts';

/** The writer's thread: opens the database, reports that it is open, and answers each request in its turn. */

const writer = openWriter(workerData);

parentPort?.on('message', (request: WriterRequest) => {
  if (request === 'close') {
    writer.close();
    parentPort?.close();
  } else {
    parentPort?.postMessage(request === 'emptyLog' ? writer.emptyLog() : writer.commit(request));
  }
});
parentPort?.postMessage('open');
