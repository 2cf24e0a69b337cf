// Builds what the proofs play against, once for all of them: signet, unless SIGNET_BIN names one, and the service of deploy/examples/go.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const SIGNET = process.env.SIGNET_BIN ?? here('bin/signet'), SERVICE = here('bin/service');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const build = (folder, what, to) => {
    const { status, error } = spawnSync('go', ['build', '-o', to, what], { cwd: here(folder), stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0' } });
    if (error) throw error;
    if (status !== 0) process.exit(1);
  };
  if (!process.env.SIGNET_BIN) build('../../../..', './cmd/signet', SIGNET);
  build('../../go', '.', SERVICE);
}
