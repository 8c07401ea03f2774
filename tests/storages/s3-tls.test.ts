/** S3 over TLS with a private certificate: refused by default, taken with its CA, taken unchecked when told so. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { s3 } from '../../packages/engine/src/storages/s3.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'backupx-s3-tls-'));
const keyFile = path.join(folder, 'key.pem');
const certificateFile = path.join(folder, 'certificate.pem');
let server: Server;

beforeAll(async () => {
  const subject = ['-subj', '/CN=backupx-tests', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const files = ['-keyout', keyFile, '-out', certificateFile];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject], { stdio: 'ignore' });
  server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-length': 7 }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function sizeWith(settings: Record<string, unknown>): Promise<number> {
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fixed = { endpoint, bucket: 'bucket', accessKeyId: 'a', secretAccessKey: 'b', forcePathStyle: true };
  const storage = s3.create(s3.config.parse({ ...fixed, ...settings }));
  const found = await storage.stat('key', new AbortController().signal);
  await storage.close?.();
  return found.sizeBytes;
}

it('refuses a certificate it cannot trust, and says so', async () => {
  const error = await sizeWith({}).catch((reason) => reason);
  expect(error).toMatchObject({ code: 'STORAGE_CONFIG', retryable: false });
  expect(error.message).toMatch(/certificate/i);
});

it('takes the certificate with its CA', async () => {
  expect(await sizeWith({ caCertificate: readFileSync(certificateFile, 'utf8') })).toBe(7);
});

it('takes any certificate when told not to check', async () => {
  expect(await sizeWith({ insecureTls: true })).toBe(7);
});
