/** What no well-behaved server does: strange answers of a hand-made one. The real server is in `tests/storages/`. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { joinedETag } from './s3/upload.ts';
import { s3 } from './s3.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;
type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A storage over a server that answers with `answer`. */
async function storageOver(answer: Answer) {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    answer(request, response, Buffer.concat(chunks));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return s3.create(
    s3.config.parse({
      endpoint,
      bucket: 'bucket',
      accessKeyId: 'key',
      secretAccessKey: 'secret',
      forcePathStyle: true,
    }),
  );
}

const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();

async function* megabytes(count: number) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(MIB, i);
}

const fail =
  (status: number, code: string): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
  };

describe('s3 translates', () => {
  it.each([
    [507, 'InsufficientStorage', 'STORAGE_FULL'],
    [403, 'QuotaExceeded', 'STORAGE_FULL'],
    [403, 'RequestTimeTooSkewed', 'STORAGE_PERMISSION'],
    [400, 'AuthorizationHeaderMalformed', 'STORAGE_CONFIG'],
    [301, 'PermanentRedirect', 'STORAGE_CONFIG'],
    [404, 'NoSuchBucket', 'STORAGE_CONFIG'],
    [500, 'InternalError', 'STORAGE_FAILED'],
    [503, 'SlowDown', 'STORAGE_UNREACHABLE'],
  ])('%i %s to %s', async (status, code, expected) => {
    const storage = await storageOver(fail(status, code));
    const error = await storage.put('a', megabytes(1), { signal }).catch((reason) => reason);
    expect(error.code).toBe(expected);
    expect(error.message).toContain(code);
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it('does not take a web page for a bucket', async () => {
    const storage = await storageOver((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html><body>Welcome!</body></html>');
    });
    const refused = { code: 'STORAGE_CONFIG' };
    await expect(storage.put('a', megabytes(1), { signal })).rejects.toMatchObject(refused);
    await expect(storage.list('', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
  });
});

describe('s3 that is asked to write only where nothing is', () => {
  it.each([
    [501, 'NotImplemented'],
    [405, 'MethodNotAllowed'],
    [400, 'InvalidArgument'],
    [400, 'InvalidRequest'],
  ])('cannot decide it when the server answers %i %s', async (status, code) => {
    const storage = await storageOver(fail(status, code));
    expect(await storage.putIfAbsent?.('a', Buffer.from('x'), signal)).toBe(null);
  });

  it('cannot decide it either when the server says no more than that', async () => {
    const storage = await storageOver((_request, response) => response.writeHead(400).end());
    expect(await storage.putIfAbsent?.('a', Buffer.from('x'), signal)).toBe(null);
  });

  it.each([
    [400, 'AuthorizationHeaderMalformed', 'STORAGE_CONFIG'],
    [400, 'RequestTimeout', 'STORAGE_FAILED'],
    [403, 'AccessDenied', 'STORAGE_PERMISSION'],
  ])('fails at %i %s, which is no answer to that', async (status, code, expected) => {
    const storage = await storageOver(fail(status, code));
    await expect(storage.putIfAbsent?.('a', Buffer.from('x'), signal)).rejects.toMatchObject({ code: expected });
  });

  it('is second at 412', async () => {
    const storage = await storageOver(fail(412, 'PreconditionFailed'));
    expect(await storage.putIfAbsent?.('a', Buffer.from('x'), signal)).toBe(false);
  });
});

describe('s3 multipart', () => {
  /** Multipart as S3 does it; `completions` are what happens to each attempt to complete. */
  function multipartServer(completions: ('lose the answer' | 'fail')[]) {
    const parts = new Map<number, Buffer>();
    let stored: string | null = null;
    let aborted = 0;
    const complete: Answer = (request, response, body) => {
      if (completions.shift() !== 'lose the answer') {
        fail(404, 'NoSuchUpload')(request, response, body);
        return;
      }
      const md5s = [...parts].sort(([a], [b]) => a - b).map(([, part]) => md5(part));
      stored = `"${md5(Buffer.concat(md5s)).toString('hex')}-${parts.size}"`;
      request.socket.destroy();
    };
    const answers: Record<string, Answer> = {
      DELETE: (_request, response) => {
        aborted += 1;
        response.writeHead(204).end();
      },
      HEAD: (_request, response) => {
        response.writeHead(stored ? 200 : 404, stored ? { etag: stored } : {}).end();
      },
      PUT: (request, response, body) => {
        parts.set(Number(/partNumber=(\d+)/.exec(request.url ?? '')?.[1]), body);
        response.writeHead(200, { etag: `"${md5(body).toString('hex')}"` }).end();
      },
      POST: (request, response, body) => {
        if (!request.url?.includes('uploads')) complete(request, response, body);
        else response.end('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>');
      },
    };
    const answer: Answer = (request, ...rest) => answers[request.method ?? '']?.(request, ...rest);
    return { answer, aborted: () => aborted, parts };
  }

  it('knows by the ETag that the object was completed although the answer got lost', async () => {
    const fake = multipartServer(['lose the answer']);
    const storage = await storageOver(fake.answer);
    await storage.put('a', megabytes(20), { signal });
    expect([...fake.parts].map(([, part]) => part.length / MIB).sort()).toEqual([3, 8, 9]);
  });

  it('fails and aborts when the upload is gone and the object is another', async () => {
    const fake = multipartServer(['fail']);
    const storage = await storageOver(fake.answer);
    await expect(storage.put('a', megabytes(20), { signal })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(fake.aborted()).toBe(1);
  });

  it('computes the ETag of joined parts, and none from ETags that are no MD5', () => {
    const etag = '"d41d8cd98f00b204e9800998ecf8427e"';
    expect(joinedETag([{ ETag: etag, PartNumber: 1 }])).toBe('59adb24ef3cdbe0297f05b395827453f-1');
    expect(joinedETag([{ ETag: '"opaque"', PartNumber: 1 }])).toBeNull();
  });
});

describe('the settings of s3', () => {
  const valid = { endpoint: 'https://s3.example.org', bucket: 'b-1', accessKeyId: 'a', secretAccessKey: 's' };
  it('fills in what is usual', () => {
    expect(s3.config.parse(valid)).toEqual({ ...valid, region: 'us-east-1', forcePathStyle: false });
  });
  it.each([
    { endpoint: 's3.example.org' },
    { endpoint: 'https://user:password@s3.example.org' },
    { endpoint: 'ftp://s3.example.org' },
    { endpoint: 'https://s3.example.org/path' },
    { bucket: 'a/b' },
    { bucket: '' },
    { prefix: 'a/../b' },
    { prefix: 'a//b' },
    { caCertificate: 'not a certificate' },
    { secretAccessKey: '' },
  ])('refuses %j', (change) => {
    expect(s3.config.safeParse({ ...valid, ...change }).success).toBe(false);
  });
});
