/** Snapshots as restic stores them (internal/restic/snapshot.go): what was saved when, and the root of its tree. */
import { z } from 'zod';
import { goJson } from './go-json.ts';
import { parseGoTime } from './go-time.ts';
import { hexIdSchema, parseJsonFile } from './json-file.ts';

/** Figures of the run that made a snapshot; restic 0.17 and later write the same. Times are RFC 3339. */
export interface SnapshotSummary {
  readonly backupStart: string;
  readonly backupEnd: string;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  readonly dirsNew: number;
  readonly dirsChanged: number;
  readonly dirsUnmodified: number;
  readonly dataBlobs: number;
  readonly treeBlobs: number;
  /** Plain bytes of new blobs. */
  readonly dataAdded: number;
  /** What they take up stored. */
  readonly dataAddedPacked: number;
  readonly totalFilesProcessed: number;
  readonly totalBytesProcessed: number;
}

export interface Snapshot {
  /** Hex; the name of its file. */
  readonly id: string;
  /** RFC 3339 with any offset. */
  readonly time: string;
  readonly parent: string | null;
  readonly tree: string;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
  readonly excludes: readonly string[];
  readonly tags: readonly string[];
  /** The snapshot that this one was first rewritten or copied from. */
  readonly original: string | null;
  readonly programVersion: string;
  /** Null in snapshots of old programs. */
  readonly summary: SnapshotSummary | null;
  /** Fields we do not know, kept when a snapshot is rewritten. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

const SUMMARY_FIELDS = {
  backup_start: 'backupStart',
  backup_end: 'backupEnd',
  files_new: 'filesNew',
  files_changed: 'filesChanged',
  files_unmodified: 'filesUnmodified',
  dirs_new: 'dirsNew',
  dirs_changed: 'dirsChanged',
  dirs_unmodified: 'dirsUnmodified',
  data_blobs: 'dataBlobs',
  tree_blobs: 'treeBlobs',
  data_added: 'dataAdded',
  data_added_packed: 'dataAddedPacked',
  total_files_processed: 'totalFilesProcessed',
  total_bytes_processed: 'totalBytesProcessed',
} as const satisfies Record<string, keyof SnapshotSummary>;

const count = z.number().min(0).default(0);
const time = z.string().refine(isTime, 'not a time');
const summarySchema = z.looseObject({
  backup_start: z.string().default(''),
  backup_end: z.string().default(''),
  files_new: count,
  files_changed: count,
  files_unmodified: count,
  dirs_new: count,
  dirs_changed: count,
  dirs_unmodified: count,
  data_blobs: count,
  tree_blobs: count,
  data_added: count,
  data_added_packed: count,
  total_files_processed: count,
  total_bytes_processed: count,
});
const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const snapshotSchema = z.looseObject({
  time,
  parent: hexIdSchema.nullish(),
  tree: hexIdSchema,
  paths: texts,
  hostname: z.string().default(''),
  username: z.string().default(''),
  uid: z.number().default(0),
  gid: z.number().default(0),
  excludes: texts,
  tags: texts,
  original: hexIdSchema.nullish(),
  program_version: z.string().default(''),
  summary: summarySchema.nullish(),
});

function isTime(text: string): boolean {
  try {
    parseGoTime(text);
    return true;
  } catch {
    return false;
  }
}

/** A snapshot out of its JSON. Throws REPOSITORY_DAMAGED. */
export function parseSnapshot(id: string, json: Uint8Array): Snapshot {
  const { program_version, summary, parent, original, ...rest } = parseJsonFile(`snapshot ${id}`, json, snapshotSchema);
  const { time, tree, paths, hostname, username, uid, gid, excludes, tags, ...extra } = rest;
  return {
    ...{ id, time, tree, paths, hostname, username, uid, gid, excludes, tags },
    parent: parent ?? null,
    original: original ?? null,
    programVersion: program_version,
    summary: summary ? toSummary(summary) : null,
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

function toSummary(json: z.output<typeof summarySchema>): SnapshotSummary {
  const fields = Object.entries(SUMMARY_FIELDS) as [keyof typeof SUMMARY_FIELDS, keyof SnapshotSummary][];
  return Object.fromEntries(fields.map(([theirs, ours]) => [ours, json[theirs]])) as unknown as SnapshotSummary;
}

/** The JSON of a snapshot in restic's order; what is empty is left out as restic leaves it out. */
export function packSnapshot(snapshot: Omit<Snapshot, 'id'>): Buffer {
  const { time, parent, tree, paths, hostname, username, uid, gid, excludes, tags, original } = snapshot;
  const summary = snapshot.summary && {
    ...Object.fromEntries(Object.entries(SUMMARY_FIELDS).map(([theirs, ours]) => [theirs, snapshot.summary?.[ours]])),
  };
  const fields: Record<string, unknown> = {
    time,
    parent: parent ?? undefined,
    tree,
    paths,
    hostname: hostname || undefined,
    username: username || undefined,
    uid: uid || undefined,
    gid: gid || undefined,
    excludes: excludes.length > 0 ? excludes : undefined,
    tags: tags.length > 0 ? tags : undefined,
    original: original ?? undefined,
    program_version: snapshot.programVersion || undefined,
    summary: summary ?? undefined,
    ...snapshot.extra,
  };
  return Buffer.from(goJson(fields));
}
