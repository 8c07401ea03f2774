/** Small repositories in memory for tests: written by the project's own writer, read back blob by blob. */
import { createHash } from 'node:crypto';
import { systemClock } from '../../ports/clock.ts';
import type { Storage } from '../../ports/storage.ts';
import { createBlobReader } from '../blob-reader.ts';
import { fromHex, hashOf, toHex } from '../format/blob-id.ts';
import { packConfig } from '../format/config-file.ts';
import { createMasterKey, type MasterKey } from '../format/master-key.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { packNode, packTree, type TreeNode } from '../format/tree-node.ts';
import { compressOnce } from '../format/zstd.ts';
import { loadIndex } from '../load-index.ts';
import { openRepository, putObject, type Repository } from '../open-repository.ts';
import { createPackWriter, type PackWriter } from '../pack-writer.ts';
import { saveSnapshot } from '../snapshots.ts';
import type { MaintenanceWork } from './maintenance-work.ts';

/** Contents by path without leading slash. */
export type Files = Readonly<Record<string, string>>;

const PIECE_BYTES = 100;
const never = new AbortController().signal;

/** A new repository in `storage`; its key opens it again. */
export async function makeRepository(storage: Storage, masterKey: MasterKey = createMasterKey()): Promise<Repository> {
  const id = createHash('sha256').update(masterKey.encrypt).digest('hex');
  const config = packConfig({ version: 2, id, chunkerPolynomial: 0x3da3358b4dc173n });
  await putObject(storage, 'config', { bytes: createSealedBox(masterKey).seal(config), signal: never });
  return await reopen(storage, masterKey);
}

/** The same repository through another storage, such as one that fails. */
export async function reopen(storage: Storage, masterKey: MasterKey): Promise<Repository> {
  return await openRepository({ storage, prefix: '', label: 'test' }, { masterKey }, never);
}

export function workOn(repository: Repository): MaintenanceWork {
  return { repository, signal: never, clock: systemClock };
}

export interface WriteOptions {
  /** Packs (hex) that the writer must not see. */
  readonly ignoredPacks?: readonly string[];
  readonly snapshot?: Partial<Omit<Snapshot, 'id' | 'tree'>>;
}

/** A backup that can be taken step by step, so that other work may come in between. */
export interface StepwiseBackup {
  /** Stores packs; no index names them yet. */
  storePacks(): Promise<void>;
  storeIndex(): Promise<void>;
  saveSnapshot(): Promise<Snapshot>;
}

/** Begins a backup: loads the index, as it is now. */
export async function beginBackup(
  repository: Repository,
  files: Files,
  options: WriteOptions = {},
): Promise<StepwiseBackup> {
  const index = await loadIndex(repository, { signal: never, ignoredPacks: new Set(options.ignoredPacks) });
  const writer = createPackWriter({ repository, signal: never, clock: systemClock });
  const added = new Set<string>();
  const addBlob = async (type: 'data' | 'tree', plain: Buffer) => {
    const id = hashOf(plain);
    const key = type + toHex(id);
    if (index.find(id, type) < 0 && !added.has(key)) await addSealed(repository, writer, { type, id, plain });
    added.add(key);
    return id;
  };
  let tree = '';
  return {
    async storePacks() {
      tree = toHex(await addFolder(files, addBlob));
      await writer.flushPacks();
    },
    async storeIndex() {
      await writer.finish();
    },
    async saveSnapshot() {
      return await saveSnapshot(repository, { ...snapshotDefaults(), ...options.snapshot, tree }, never);
    },
  };
}

/** A whole backup. */
export async function backup(repository: Repository, files: Files, options: WriteOptions = {}): Promise<Snapshot> {
  const steps = await beginBackup(repository, files, options);
  await steps.storePacks();
  await steps.storeIndex();
  return await steps.saveSnapshot();
}

function snapshotDefaults(): Omit<Snapshot, 'id' | 'tree'> {
  return {
    time: '2026-01-02T03:04:05Z',
    parent: null,
    paths: ['/'],
    hostname: 'host',
    username: 'root',
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    original: null,
    programVersion: 'test',
    summary: null,
  };
}

interface PlainBlob {
  readonly type: 'data' | 'tree';
  readonly id: Buffer;
  readonly plain: Buffer;
}

/** Hands one blob to a writer, compressed when that is what the format wants. */
export async function addSealed(
  repository: Repository,
  writer: PackWriter,
  { type, id, plain }: PlainBlob,
): Promise<void> {
  const isCompressed = type === 'tree' || plain.byteLength > PIECE_BYTES / 2;
  const sealed = repository.box.seal(isCompressed ? compressOnce(plain) : plain);
  await writer.add({ type, id, sealed, plainLength: isCompressed ? plain.byteLength : 0 });
}

type AddBlob = (type: 'data' | 'tree', plain: Buffer) => Promise<Buffer>;

async function addFolder(files: Files, addBlob: AddBlob): Promise<Buffer> {
  const folders = new Map<string, Record<string, string>>();
  const nodes: TreeNode[] = [];
  for (const [path, text] of Object.entries(files)) {
    const slash = path.indexOf('/');
    if (slash < 0) nodes.push(fileNode(path, text, await addContent(text, addBlob)));
    else folders.set(path.slice(0, slash), { ...folders.get(path.slice(0, slash)), [path.slice(slash + 1)]: text });
  }
  for (const [name, inside] of folders) {
    nodes.push({ ...fileNode(name, '', []), type: 'dir', content: null, subtree: await addFolder(inside, addBlob) });
  }
  nodes.sort((a, b) => Buffer.compare(a.name, b.name));
  return await addBlob('tree', packTree(nodes.map(packNode)));
}

async function addContent(text: string, addBlob: AddBlob): Promise<Buffer[]> {
  const bytes = Buffer.from(text);
  const ids: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    ids.push(await addBlob('data', bytes.subarray(at, at + PIECE_BYTES)));
  return ids;
}

/** A file, for tests that make trees of their own. */
export function fileNode(name: string, text: string, content: readonly Uint8Array[]): TreeNode {
  return {
    ...{ name: Buffer.from(name), type: 'file', mode: 0o644, mtimeNs: 0n, atimeNs: 0n, ctimeNs: 0n, uid: 0, gid: 0 },
    ...{ user: '', group: '', inode: 0n, deviceId: 0n, size: Buffer.byteLength(text), links: 1, linkTarget: null },
    ...{ xattrs: null, device: 0, content, subtree: null },
  };
}

/** Contents of a snapshot by path; every blob is verified. Throws REPOSITORY_DAMAGED. */
export async function readBack(
  repository: Repository,
  snapshot: Pick<Snapshot, 'tree'>,
): Promise<Record<string, string>> {
  const index = await loadIndex(repository, { signal: never });
  const reader = createBlobReader({ repository, index, signal: never });
  const files: Record<string, string> = {};
  const readFolder = async (id: Uint8Array, prefix: string) => {
    for (const { name, type, subtree, content } of await reader.readTree(id)) {
      const path = prefix + name.toString();
      if (type === 'dir' && subtree) await readFolder(subtree, `${path}/`);
      else
        files[path] = Buffer.concat(
          await Promise.all((content ?? []).map((part) => reader.read(part, 'data'))),
        ).toString();
    }
  };
  await readFolder(fromHex(snapshot.tree), '');
  return files;
}

/** Text that is unlike others, `pieces` blobs long. */
export function textOf(seed: string, pieces = 3): string {
  let text = '';
  for (let at = 0; text.length < pieces * PIECE_BYTES; at += 1)
    text += hashOf(Buffer.from(`${seed} ${at}`)).toString('base64');
  return text.slice(0, pieces * PIECE_BYTES);
}
