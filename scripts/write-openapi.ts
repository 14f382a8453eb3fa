import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { openApiDocuments } from './openapi-documents.ts';

/** Writes the OpenAPI document of each service into a folder. `npm run check:openapi` lints them there. */
const [folder = '.'] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
for (const [name, document] of Object.entries(await openApiDocuments()))
  await writeFile(join(folder, `${name}.json`), JSON.stringify(document, null, 2));
