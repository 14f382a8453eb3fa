import process from 'node:process';

export interface Command {
  /** Whether a failover is shown. */
  demo: boolean;
}

const usage = `npm start runs the three services until Ctrl-C; npm start -- --demo also shows a failover on them. .env.example has the settings.
`;

/** Reads the arguments; exits with the usage if it is asked for, or if one is unknown. */
export function readArguments(given: string[], env: NodeJS.ProcessEnv): Command {
  if (given.some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const unknown = given.find((argument) => argument !== '--demo');
  if (unknown !== undefined) {
    process.stderr.write(`Unknown argument ${unknown}: ${usage}`);
    process.exit(1);
  }
  // npm keeps the option for itself if the -- before it is forgotten.
  return { demo: given.length > 0 || env.npm_config_demo === 'true' };
}
