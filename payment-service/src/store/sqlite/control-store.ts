import type { ControlStore } from '../controls.ts';
import type { openReader } from './reads.ts';
import type { WriterThread } from './writer-client.ts';

export function controlStore(
  { write }: Pick<WriterThread, 'write'>,
  reader: ReturnType<typeof openReader>,
  read: <T>(operation: () => T) => Promise<T>,
): ControlStore {
  return {
    readControls: () => read(reader.readControls),
    putHold: (provider, hold) => write('putHold', provider, hold),
    deleteHold: (provider, at) => write('deleteHold', provider, at),
    requestRecovery: (provider) => write('requestRecovery', provider),
  };
}
