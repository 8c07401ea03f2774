/** Lists the files of one type as JSON that streams: a repository may have millions, and none of them waits in memory. */
import type { Storage, StoredObject } from '@backupx/engine/ports/storage';
import type { FastifyReply } from 'fastify';
import { bodyOf, withFirst } from '../../http/body-of.ts';
import { isHashName } from './gateway-address.ts';
import type { FileType, GatewayRepository } from './repository-directory.ts';

const V1 = 'application/vnd.x.restic.rest.v1';
const V2 = 'application/vnd.x.restic.rest.v2';
/** Text is handed on in pieces of about this many characters. */
const PIECE_LENGTH = 32 * 1024;

export interface AskedList {
  readonly repository: GatewayRepository;
  readonly storage: Storage;
  readonly type: FileType;
  readonly accept: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Version 2 tells name and size of each file (and, beyond restic's protocol, when it was written, except of packs),
 * version 1 the name only. What no repository puts there is not listed.
 */
export async function listFiles(asked: AskedList, reply: FastifyReply): Promise<FastifyReply> {
  const isV2 = asked.accept?.includes(V2) ?? false;
  const pieces = writeList(asked, isV2);
  // The first piece before the headers: a storage that cannot be listed is still an error answer.
  const first = await pieces.next();
  reply.type(isV2 ? V2 : V1);
  return reply.send(bodyOf(withFirst(first, pieces), pieces));
}

async function* writeList({ repository, storage, type, signal }: AskedList, isV2: boolean): AsyncGenerator<string> {
  const folder = repository.prefix === '' ? `${type}/` : `${repository.prefix}/${type}/`;
  const hasTime = type !== 'data';
  let text = '[';
  let separator = '';
  for await (const object of storage.list(folder, signal)) {
    const name = nameIn(folder, type, object.key);
    if (name === null) continue;
    text += separator + (isV2 ? describe(name, object, hasTime) : `"${name}"`);
    separator = ',';
    if (text.length < PIECE_LENGTH) continue;
    yield text;
    text = '';
  }
  yield `${text}]`;
}

function nameIn(folder: string, type: FileType, key: string): string | null {
  const path = key.slice(folder.length);
  if (type !== 'data') return isHashName(path) ? path : null;
  const name = path.slice(3);
  return isHashName(name) && path === `${name.slice(0, 2)}/${name}` ? name : null;
}

function describe(name: string, { sizeBytes, modifiedAt }: StoredObject, hasTime: boolean): string {
  const time = hasTime && modifiedAt ? `,"modified":"${modifiedAt.toISOString()}"` : '';
  return `{"name":"${name}","size":${sizeBytes}${time}}`;
}
