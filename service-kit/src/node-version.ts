import process from 'node:process';

/** Imported first by each main.ts, because an older Node.js that also strips types would fail later, at a call that it lacks. */
const major = 26;

if (Number.parseInt(process.versions.node, 10) < major) {
  process.stderr.write(
    `Node.js ${major} is needed, and this is ${process.versions.node}. npm ci installs it: node_modules/.bin/node\n`,
  );
  process.exit(1);
}
