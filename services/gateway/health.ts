/**
 * The health check of a container: asks the server in it whether it is alive, with the token that it has anyway.
 *
 *   node dist/services/gateway/health.js      exit status 0 or 1; WIRELAB_LISTEN and WIRELAB_TOKEN_FILE as its server's
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';

const TIMEOUT_MS = 2_000;

const port = (process.env['WIRELAB_LISTEN'] ?? '').replace(/^.*:/, '');
const file = process.env['WIRELAB_TOKEN_FILE'];
const token = file === undefined ? process.env['WIRELAB_TOKEN'] : readFileSync(file, 'utf8').trim();
const path = process.env['WIRELAB_GATEWAY'] === undefined ? '/healthz' : '/api/healthz';
const headers = { authorization: `Bearer ${token ?? ''}` };
const request = get({ host: '127.0.0.1', port, path, headers, timeout: TIMEOUT_MS }, (answer) => {
  process.exit(answer.statusCode === 200 ? 0 : 1);
});
request.on('error', () => process.exit(1));
request.on('timeout', () => process.exit(1));
